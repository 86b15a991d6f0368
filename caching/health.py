"""What /application/health says about the storage and about callers: a part for each, in Spring's shape.

The status word is UP or DOWN only, because that is what others act on; `colour` is yellow when an operator should know
something though everything is answered.
"""

from __future__ import annotations

import msgspec

from caching.storage import Storage

UNPROVEN = {
    "trustedHeaders": "no TLS: callers are who they say they are (X-CS-Service-ID), and nothing proves it",
}
"""In plain, by the setting `identity`."""


def unproven(identity: str) -> dict[str, object]:
    return {"identity": identity, "colour": "yellow", "why": [UNPROVEN[identity]]}


def parts(storage: Storage, identity: str, tls: bool = False) -> dict[str, object]:
    why, remarks = storage.why(), storage.remarks()
    held = {
        "colour": "red" if why else "yellow" if remarks else "green",
        "why": [*why, *remarks],
        **storage.details(),
        "capabilities": msgspec.to_builtins(storage.capabilities),
    }
    who = {"identity": "certificates", "colour": "green", "why": []} if tls else unproven(identity)
    return {
        "storage": {"status": "DOWN" if why else "UP", "details": held},
        "identity": {"status": "UP", "details": who},
    }
