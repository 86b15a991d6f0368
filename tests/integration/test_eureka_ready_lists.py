"""Lists that are ready when they are asked for: made once for all who ask, in turns, kept and let go."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable
from typing import Any

import pytest

from discovery.effects import Changed
from discovery.eureka import lists as module
from discovery.eureka.lists import SLICE, UNASKED_S, Lists, What
from discovery.eureka.pieces import Pieces
from discovery.eureka.render import JSON, XML, Dialect
from discovery.registration import Registration
from discovery.registry import Registry
from tests.fakes import a_node

FULL = Dialect(JSON)
NOW = 10.0


class Mesh:
    """One node and its lists; `made` counts the pieces that were encoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.node = a_node()
        self.registry = Registry(self.node)
        self.lists = Lists(self.node, worth=0)
        self.made = 0
        original = Pieces._made

        def counting(pieces: Pieces, key: str) -> bytes:
            self.made += 1
            return original(pieces, key)

        monkeypatch.setattr(Pieces, "_made", counting)  # what is encoded is nobody's business but this test's

    def register(self, *ids: int, port: int = 80) -> None:
        for id in ids:
            one = Registration(app=f"APP{id % 3}", instance=f"i{id}", host="h", ip="192.0.2.1", port=port)
            self.registry.register(one, NOW)
        for effect in self.node.ready():
            if isinstance(effect, Changed):
                self.lists.note(effect.changes, NOW)

    def now(self, what: What = "apps", packed: bool = False) -> bytes:
        """A list that is there at once."""
        found = self.lists.whole(what, FULL, packed, NOW)
        assert isinstance(found, bytes)
        return found

    def later(self, what: What = "apps", packed: bool = False) -> Awaitable[bytes]:
        found = self.lists.whole(what, FULL, packed, NOW)
        assert not isinstance(found, bytes)
        return found


@pytest.fixture
def mesh(monkeypatch: pytest.MonkeyPatch) -> Mesh:
    return Mesh(monkeypatch)


def ports(data: bytes) -> dict[str, int]:
    apps: Any = json.loads(data)["applications"]["application"]
    return {each["instanceId"]: each["port"]["$"] for app in apps for each in app["instance"]}


def test_only_what_has_changed_is_encoded_again(mesh: Mesh) -> None:
    mesh.register(*range(50))
    assert len(ports(mesh.now())) == 50
    assert mesh.now() is mesh.now()
    mesh.register(7, port=81)
    assert ports(mesh.now())["i7"] == 81
    assert mesh.made == 51
    mesh.registry.cancel("app1/i7", NOW)
    mesh.register()
    assert "i7" not in ports(mesh.now())
    assert mesh.made == 51


async def test_all_who_ask_while_a_long_list_is_made_share_it(mesh: Mesh) -> None:
    count = 5 * SLICE
    mesh.register(*range(count))
    asking = [asyncio.ensure_future(mesh.later()) for _ in range(10)]
    await asyncio.sleep(0)
    mesh.register(3, port=81)  # while it is being made
    asking[0].cancel()
    bodies = await asyncio.gather(*asking[1:])
    assert all(body is bodies[0] for body in bodies)
    assert (len(ports(bodies[0])), ports(bodies[0])["i3"]) == (count, 81)
    assert mesh.made <= count + 1
    assert mesh.now() is bodies[0]


async def test_making_a_long_list_lets_others_have_their_turn(mesh: Mesh) -> None:
    mesh.register(*range(5 * SLICE))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await mesh.later()
    task.cancel()
    assert turns >= 4


async def test_a_long_list_is_packed_beside_the_loop_and_once(mesh: Mesh) -> None:
    mesh.register(*range(SLICE))
    one, two = await asyncio.gather(mesh.later(packed=True), mesh.later(packed=True))
    assert one is two
    assert gzip.decompress(one) == mesh.now()
    assert mesh.now(packed=True) is one


def test_a_costly_list_is_given_out_again_for_a_while(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHEAP_S", 0.0)
    mesh.lists = Lists(mesh.node, worth=1e6)
    mesh.register(*range(5))
    before = mesh.now()
    mesh.register(1, port=81)
    assert mesh.now() is before
    later = mesh.lists.whole("apps", FULL, False, NOW + 1e9)
    assert isinstance(later, bytes)
    assert ports(later)["i1"] == 81


def test_what_nobody_asks_for_is_let_go(mesh: Mesh) -> None:
    mesh.register(1, 2, 3)
    mesh.now()
    mesh.lists.sweep(NOW + UNASKED_S)
    mesh.now()
    assert mesh.made == 3
    mesh.lists.sweep(NOW + UNASKED_S + 1)
    mesh.now()
    assert mesh.made == 6


def test_dialects_are_kept_apart(mesh: Mesh) -> None:
    mesh.register(1)
    bodies = {
        mesh.lists.whole(what, Dialect(media, compact), packed, NOW)  # type: ignore[arg-type]
        for what in ("apps", "delta")
        for media in (JSON, XML)
        for compact in (False, True)
        for packed in (False, True)
    }
    assert len(bodies) == 16
