"""One sysplex of two LPARs for all of this folder. What each service may register is said: orders, or billing (and
"nobody", of which there is none)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.certificates import a_drawer
from tests.integration.launcher_rig import Rig
from tests.integration.security.callers import Caller, callers


@pytest.fixture(scope="package")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("security"))
    named = "CN={}, OU=plexmesh client, O=TESTPLEX"
    may = {"service": ["orders", "nobody"], "elsewhere": ["billing", "nobody"]}
    rig.tree["plexmesh"]["access"] = {"services": {named.format(name): ids for name, ids in may.items()}}
    rig.tree["components"] = {"discovery": {}, "gateway": {}, "caching": {}, "sample": {}}
    try:
        rig.up("--tls")
        yield rig
    finally:
        rig.close()


@pytest.fixture(scope="package")
def everybody(sysplex: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Caller]]:
    found = callers(sysplex, a_drawer(tmp_path_factory.mktemp("strangers"), "TESTPLEX"))
    yield found
    for each in found.values():
        each.close()
