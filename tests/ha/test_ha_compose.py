"""compose.yaml on a real engine: containers are killed, cut off and silenced under load, and users do not notice.

Run with `make test-ha`. It takes the addresses of `make up`, so nothing else may run there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from math import inf

import pytest

from launcher import callers
from launcher.compose import Compose
from tests.ha.compose_rig import (
    ROOT,
    VIPA,
    Registry,
    composed,
    failed,
    in_words,
    lpars_answering,
    on_an_engine,
    order,
    run,
    users,
    users_of,
)
from tests.integration.launcher_rig import poll

pytestmark = on_an_engine

BOTH = {"LPAR1", "LPAR2"}
CUT_S = 20
"""Longer than a lease: each side forgets the other's instances."""


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    with composed():
        poll("both LPARs answer", lambda: lpars_answering() == BOTH, within_s=60)
        yield Compose(tmp_path_factory.mktemp("data"), ROOT / "compose.yaml")


@pytest.fixture(autouse=True)
def whole(sysplex: Compose) -> Iterator[None]:
    poll("everything is ready", lambda: sysplex.status().sysplex.state == "ready", within_s=60)
    poll("both LPARs answer", lambda: lpars_answering() == BOTH, within_s=60)
    yield
    for lpar in BOTH:
        sysplex.heal(lpar)


async def until(what: str, condition: Callable[[], bool], within_s: float) -> None:
    await asyncio.to_thread(poll, what, condition, within_s)


async def test_a_killed_container_costs_no_get_and_comes_back(sysplex: Compose) -> None:
    async with users(VIPA) as (load,):
        await asyncio.sleep(3)
        await order("docker", "kill", "lpar2")
        await asyncio.sleep(8)
        started = await order("docker", "start", "lpar2")
        await until("LPAR2 answers again", lambda: callers.answered_by(load.between(started, inf), "LPAR2") > 0, 30)
        await asyncio.sleep(3)
    print(f"\nkilled and started: {in_words(load.outcomes)}")
    assert failed(load.outcomes) == []
    assert callers.answered_by(load.outcomes, "LPAR1") > 100


async def test_cut_apart_each_side_serves_its_users_and_healed_there_is_one_view(sysplex: Compose) -> None:
    here, there = Registry(1), Registry(2)
    for each in range(10):
        here.register(f"here-{each}")
        there.register(f"there-{each}")
    await until("one view", lambda: here.instances() == there.instances() != set(), 5)
    before = here.instances() or set()
    async with users(users_of(1), users_of(2)) as (ones, twos):
        await asyncio.sleep(2)
        sysplex.partition("LPAR2")
        await asyncio.sleep(CUT_S)
        here.deregister("here-0")
        here.register("here-new")
        there.deregister("there-0")
        there.register("there-new")
        wanted = before - {"here-0", "there-0"} | {"here-new", "there-new"}
        healed = time.monotonic()
        await asyncio.to_thread(sysplex.heal, "LPAR2")
        await until("one view, complete", lambda: here.instances() == there.instances() == wanted, 3)
        took_s = time.monotonic() - healed
        await until(
            "each side calls the other again",
            lambda: (
                callers.answered_by(ones.between(healed, inf), "LPAR2") > 0
                and callers.answered_by(twos.between(healed, inf), "LPAR1") > 0
            ),
            15,
        )
        back_s = time.monotonic() - healed
        await asyncio.sleep(3)
    print(
        f"\ncut for {CUT_S} s: users of LPAR1 {in_words(ones.outcomes)}; of LPAR2 {in_words(twos.outcomes)}; "
        f"one view {took_s:.1f} s after healing, calls between the sides after {back_s:.1f} s"
    )
    assert failed(ones.outcomes) == []
    assert failed(twos.outcomes) == []
    assert here.instances() == there.instances() == wanted


async def test_a_silent_lpar_costs_new_connections_nothing_later_than_its_first_moments(sysplex: Compose) -> None:
    async with users(VIPA, users_of(1)) as (load, others):
        await asyncio.sleep(3)
        onset = time.monotonic()
        await asyncio.to_thread(sysplex.silence, "LPAR2")
        await asyncio.sleep(8)
        healed = time.monotonic()
        await asyncio.to_thread(sysplex.heal, "LPAR2")
        await until("LPAR2 answers again", lambda: callers.answered_by(load.between(healed, inf), "LPAR2") > 0, 15)
        back_s = time.monotonic() - healed
        await asyncio.sleep(3)
    late = load.between(onset + 1.5, inf)
    print(
        f"\nsilent: {in_words(load.outcomes)}; later than 1.5 s after onset {in_words(late)}; "
        f"users of LPAR1 {in_words(others.outcomes)}; LPAR2 answers {back_s:.1f} s after healing"
    )
    assert failed(late) == []
    assert failed(others.outcomes) == []


def test_nothing_is_written_outside_data_and_nobody_is_root(sysplex: Compose) -> None:
    for container in ("lpar1", "lpar2", "distributor"):
        said = run("docker", "inspect", "--format", "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}", container)
        assert said.split() == ["true", "[ALL]"]
        assert run("docker", "exec", container, "id", "-u").strip() != "0"


def test_the_status_of_containers_reads_like_that_of_processes(sysplex: Compose) -> None:
    found = sysplex.status()
    assert (found.sysplex.url, found.sysplex.state) == (VIPA, "ready")
    assert {each.id: each.address for each in found.lpars} == {"LPAR1": "127.0.1.1", "LPAR2": "127.0.2.1"}
    assert found.lpars[1].components[1].url == "http://127.0.2.1:7554"
    assert [node.reachable for node in found.registry] == [True, True]
