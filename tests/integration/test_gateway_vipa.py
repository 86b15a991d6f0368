"""A gateway that is told to leave the sysplex address lets those go who came that way, and nobody else."""

from __future__ import annotations

from tests.fakes import RawInstance, answering, until
from tests.integration.gateway_rig import INSTANCES, VIPA, Client, a_gateway, on_uvloop

OUT = b'{"state":"out"}'
PUT = b"PUT /gateway/v1/vipa HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n%b"


@on_uvloop
async def test_kept_connections_end_with_their_next_answer() -> None:
    host, _, port = VIPA.partition(":")
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_gateway(instance, vipa=VIPA) as rig:
        await until(lambda: rig.gateway.vipa.state == "in")
        async with await Client.to(host, int(port)) as caller, await rig.connect() as neighbour:
            for client in (caller, neighbour):
                assert (await client.get("/orders/api/v1")).header("Connection") is None
            assert (await rig.ask(PUT % (len(OUT), OUT))).status == 200
            last = await caller.get("/orders/api/v1")
            assert (last.status, last.body, last.header("Connection")) == (200, b"ok", "close")
            assert await caller.ended()
            assert (await neighbour.get("/orders/api/v1")).header("Connection") is None
