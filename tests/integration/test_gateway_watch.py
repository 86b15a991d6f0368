"""Following the registry: the own node first, another when it dies, the last snapshot when all do."""

from __future__ import annotations

from aiohttp import web

from gateway.config import GatewayConfig
from shared.wire import Del, Instance, Mark, Put
from tests.fakes import FakeDiscovery, RawInstance, an_instance, answering, frame, running, until
from tests.integration.gateway_rig import INSTANCES, LPAR1, LPAR2, PORT, Rig, on_uvloop, started

A, B = an_instance("orders", 9000, INSTANCES[0]), an_instance("orders", 9000, INSTANCES[1], lpar="LPAR2")


def a_config(*nodes: FakeDiscovery, **settings: float) -> GatewayConfig:
    urls = tuple(node.url for node in nodes)
    return GatewayConfig(host=LPAR1, port=PORT, vipa="", discovery=urls, watch_home_s=0.1, **settings)  # type: ignore[arg-type]


@on_uvloop
async def test_changes_are_followed_as_they_come() -> None:
    node = FakeDiscovery(LPAR1)
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with running(node, instance), started(a_config(node)) as gateway:
        await until(lambda: gateway.watch.whole)
        rig = Rig(gateway, node)
        assert (await rig.get("/orders/api/v1")).status == 404
        node.put(A)
        await until(lambda: A.key in gateway.path.snapshot.endpoints)
        assert (await rig.get("/orders/api/v1")).status == 200
        node.remove(A.key)
        await until(lambda: not gateway.path.snapshot.instances)
        assert (await rig.get("/orders/api/v1")).status == 404
        assert node.streams == 1


@on_uvloop
async def test_not_ready_before_a_whole_snapshot_and_says_why() -> None:
    node = FakeDiscovery(LPAR1)
    node.covered = False
    async with running(node), started(a_config(node)) as gateway:
        await until(lambda: gateway.watch.trouble)
        rig = Rig(gateway, node)
        got = await rig.get("/application/ready")
        assert got.status == 503
        assert node.url.encode() in got.body
        assert b"503" in got.body
        node.covered = True
        await until(lambda: not gateway.why_not_ready())
        assert (await rig.get("/application/ready")).status == 200


@on_uvloop
async def test_another_node_is_followed_when_the_own_one_dies_and_the_own_one_again_when_it_is_back() -> None:
    own, other = FakeDiscovery(LPAR1), FakeDiscovery(LPAR2)
    async with running(own, other):
        own.put(A)
        other.put(A)
        async with started(a_config(own, other)) as gateway:
            await until(lambda: gateway.watch.following == own.url)
            await own.stop()
            await until(lambda: gateway.watch.following == other.url)
            assert A.key in gateway.path.snapshot.endpoints
            other.put(B)
            await until(lambda: B.key in gateway.path.snapshot.endpoints)
            own.put(B)
            await own.start()
            await until(lambda: gateway.watch.following == own.url)
            own.remove(B.key)
            await until(lambda: B.key not in gateway.path.snapshot.endpoints)


@on_uvloop
async def test_a_silent_stream_is_given_up() -> None:
    own, other = FakeDiscovery(LPAR1), FakeDiscovery(LPAR2)
    async with running(own, other), started(a_config(own, other, watch_silence_s=0.3)) as gateway:
        await until(lambda: gateway.watch.following == other.url)


@on_uvloop
async def test_requests_go_on_when_no_node_is_left() -> None:
    node = FakeDiscovery(LPAR1)
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with running(node, instance), started(a_config(node)) as gateway:
        node.put(A)
        await until(lambda: A.key in gateway.path.snapshot.endpoints)
        await node.stop()
        await until(lambda: gateway.watch.following == "")
        assert not gateway.why_not_ready()
        assert (await Rig(gateway, node).get("/orders/api/v1")).status == 200


@on_uvloop
async def test_a_lost_change_costs_a_new_stream_and_no_request() -> None:
    node = FakeDiscovery(LPAR1)
    async with running(node), started(a_config(node)) as gateway:
        await until(lambda: gateway.watch.whole)
        node.lie = True
        node.put(A)
        await until(lambda: A.key in gateway.path.snapshot.endpoints)
        assert node.streams == 2
        assert gateway.path.meters.watch_out_of_step == 1


@on_uvloop
async def test_a_whole_set_replaces_the_one_before_without_a_gap() -> None:
    own = FakeDiscovery(LPAR1)
    async with running(own), started(a_config(own)) as gateway:
        own.put(A, B)
        await until(lambda: len(gateway.path.snapshot.endpoints) == 2)
        fewest = 2
        adopt = gateway.watch._publish

        def watched(snapshot: object) -> None:  # every snapshot in between is looked at
            nonlocal fewest
            adopt(snapshot)  # type: ignore[arg-type]
            fewest = min(fewest, len(gateway.path.snapshot.endpoints))

        gateway.watch._publish = watched
        await own.stop()
        del own.instances[B.key]
        await own.start()
        await until(lambda: B.key not in gateway.path.snapshot.endpoints)
        assert fewest == 1


class Remembering(FakeDiscovery):
    """Goes on from any token of its sysplex (`known` maps them to sets), as a real node does."""

    def __init__(self, host: str, known: dict[str, dict[str, Instance]]) -> None:
        super().__init__(host)
        self.asked: list[str] = []
        self._known = known

    def mark(self, *, whole: bool = False) -> Mark:
        mark = super().mark(whole=whole)
        self._known[mark.token] = dict(self.instances)
        return mark

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Last-Event-ID", ""))
        return await super()._watch(request)

    def _whole(self) -> bytes:
        before = self._known.get(self.asked[-1])
        if before is None:
            return super()._whole()
        puts = [each for each in self.instances.values() if before.get(each.key) != each]
        return frame(Put(puts)) + frame(Del(list(before.keys() - self.instances.keys()))) + frame(self.mark())


@on_uvloop
async def test_the_next_node_goes_on_from_the_last_token() -> None:
    known: dict[str, dict[str, Instance]] = {}
    own, other = Remembering(LPAR1, known), Remembering(LPAR2, known)
    third = an_instance("orders", 9001, INSTANCES[0])
    async with running(own, other):
        own.put(A, B)
        other.put(B, third)
        async with started(a_config(own, other)) as gateway:
            await until(lambda: gateway.watch.following == own.url)
            last = gateway.path.snapshot.token
            await own.stop()
            await until(lambda: gateway.watch.following == other.url)
            assert (own.asked[0], other.asked[0]) == ("", last)
            assert set(gateway.path.snapshot.endpoints) == {B.key, third.key}


@on_uvloop
async def test_after_a_lost_change_all_is_asked_for_anew() -> None:
    node = Remembering(LPAR1, {})
    async with running(node), started(a_config(node)) as gateway:
        await until(lambda: gateway.watch.whole)
        node.lie = True
        node.put(A)
        await until(lambda: A.key in gateway.path.snapshot.endpoints)
        assert node.asked == ["", ""]


@on_uvloop
async def test_a_node_that_does_not_know_the_token_is_asked_without_it() -> None:
    class Forgetful(Remembering):
        async def _watch(self, request: web.Request) -> web.StreamResponse:
            if "Last-Event-ID" in request.headers:
                self.asked.append(request.headers["Last-Event-ID"])
                return web.Response(status=400)
            return await super()._watch(request)

    own, other = Remembering(LPAR1, {}), Forgetful(LPAR2, {})
    async with running(own, other):
        own.put(A)
        other.put(B)
        async with started(a_config(own, other)) as gateway:
            await until(lambda: gateway.watch.following == own.url)
            await own.stop()
            await until(lambda: gateway.watch.following == other.url)
            assert set(gateway.path.snapshot.endpoints) == {B.key}
            assert other.asked[-1] == ""
