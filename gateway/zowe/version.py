"""Which build this is: `{"apiml": {version, buildNumber, commitHash}}`.

Whoever builds an image says the latter two by PLEXMESH_BUILD_NUMBER and PLEXMESH_COMMIT_HASH. Zowe's own version, its
part `zowe`, is left out as where it is unknown.

Source: Zowe API Mediation Layer, the gateway's version.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

UNKNOWN = "unknown"


def release() -> str:
    try:
        return metadata.version("plexmesh-sysplex")
    except metadata.PackageNotFoundError:  # run from a folder of sources
        return UNKNOWN


def about(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {
        "apiml": {
            "version": release(),
            "buildNumber": environ.get("PLEXMESH_BUILD_NUMBER") or UNKNOWN,
            "commitHash": environ.get("PLEXMESH_COMMIT_HASH") or UNKNOWN,
        }
    }
