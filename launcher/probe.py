"""Whether the LPAR of this container is ready, as the engine's health check asks: python -P -m launcher.probe

It needs the standard library only, since an engine asks every few seconds. The launcher here is asked in the way it
speaks; whose certificate it shows does not matter, because nobody else answers on this container's own address.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.error
import urllib.request

from shared.errors import ConfigError
from shared.switch import told

WITHIN_S = 2.0
READY = "127.0.0.1:7550/application/ready"


def ready() -> str:
    """Empty, or why not."""
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    try:
        scheme = "https" if told(os.environ, "PLEXMESH_TLS") else "http"
        with urllib.request.urlopen(f"{scheme}://{READY}", timeout=WITHIN_S, context=unchecked):
            return ""
    except urllib.error.HTTPError as error:
        return error.read().decode("utf-8", "replace")
    except ConfigError as error:
        return str(error)
    except OSError as error:
        return f"the launcher does not answer: {error}"


if __name__ == "__main__":
    if why := ready():
        print(why, file=sys.stderr)  # noqa: T201
        sys.exit(1)
