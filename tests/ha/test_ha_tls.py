"""compose.yaml with PLEXMESH_TLS=on: certificates made by whoever is first, the same orders, an LPAR killed under load.

Run with `make test-ha`. It takes the addresses of `make up`, so nothing else may run there.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest

from launcher import callers, secure
from launcher.compose import Compose
from tests.ha.compose_rig import (
    ROOT,
    SECURE_VIPA,
    VIPA,
    composed,
    get,
    in_words,
    lpars_answering,
    on_an_engine,
    run,
    users,
)
from tests.integration.launcher_rig import poll

pytestmark = on_an_engine

BOTH = {"LPAR1", "LPAR2"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def sysplex(data: Path) -> Iterator[Compose]:
    with composed(PLEXMESH_TLS="on"):
        poll("both are up", lambda: Compose(data).status().sysplex.state == "ready", within_s=60)
        yield Compose(data, ROOT / "compose.yaml")


@pytest.fixture
def stranger(data: Path, sysplex: Compose) -> ssl.SSLContext:
    """Who believes the authority and has no certificate."""
    run("docker", "cp", "lpar1:/data/volume/certificates/ca.pem", str(data / "ca.pem"))
    return ssl.create_default_context(cafile=data / "ca.pem")


def test_everything_speaks_tls_through_the_distributor_too(sysplex: Compose, stranger: ssl.SSLContext) -> None:
    found = sysplex.status()
    assert found.sysplex.url == SECURE_VIPA
    assert {each.url for lpar in found.lpars for each in lpar.components if each.name == "gateway"} == {
        "https://127.0.1.1:7554", "https://127.0.2.1:7554",
    }  # fmt: skip
    assert [node.reachable for node in found.registry] == [True, True]
    poll("both LPARs answer", lambda: lpars_answering(SECURE_VIPA, tls=stranger) == BOTH, within_s=30)
    assert get(VIPA) is None


def test_the_registry_is_for_holders_of_a_certificate(sysplex: Compose, stranger: ssl.SSLContext) -> None:
    assert get("https://127.0.1.1:7553/eureka/apps", stranger) is None
    assert get("https://127.0.1.1:7553/eureka/apps", secure.context()) is not None


async def test_an_lpar_is_killed_and_nobody_gets_an_error_answer(sysplex: Compose, stranger: ssl.SSLContext) -> None:
    """What was inside the killed gateway is cut: who passes TLS through cannot send it again."""
    async with users(SECURE_VIPA, tls=stranger) as (load,):
        await asyncio.sleep(3)
        await asyncio.to_thread(sysplex.order, "LPAR2", "kill")
        await asyncio.sleep(8)
        await asyncio.to_thread(sysplex.order, "LPAR2", "start")
        after = load.outcomes[-1].started
        await asyncio.sleep(5)
    print(f"\nkilled and started, with TLS: {in_words(load.outcomes)}")
    assert callers.errors(load.outcomes) == []
    assert len(callers.cut(load.outcomes)) <= 25, "those of half a second, at most"
    assert callers.answered_by(load.between(after, inf), "LPAR2") > 0
