"""A gateway whose door speaks TLS: the same calls, streams and ends of connections as in plain."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.collector import handshakes
from gateway.meters import Meters
from shared.tls import Files, subject
from tests.certificates import LONG_AGO, Drawer, a_drawer
from tests.fakes import Caller, RawInstance, an_instance, answer, answering, until
from tests.integration.gateway_rig import INSTANCES, LPAR1, PORT, Rig, a_gateway, on_uvloop

GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"


@pytest.fixture(scope="module")
def drawer(tmp_path_factory: pytest.TempPathFactory) -> Drawer:
    """Of a data folder."""
    found = a_drawer(tmp_path_factory.mktemp("data") / "volume" / "certificates")
    found.lpar("LPAR1", LPAR1)
    found.client("client")
    return found


def caller(drawer: Drawer, name: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=drawer.folder / "ca.pem")
    if name:
        context.load_cert_chain(drawer.folder / f"{name}.pem", drawer.folder / f"{name}.key")
    return context


@contextlib.asynccontextmanager
async def a_secured(drawer: Drawer, *instances: RawInstance, **settings: Any) -> AsyncIterator[Rig]:
    data = drawer.folder.parent.parent
    async with a_gateway(*instances, lpar="LPAR1", tls=True, data=data, **settings) as rig:
        yield rig


async def dialled(drawer: Drawer, name: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(LPAR1, PORT, ssl=caller(drawer, name), server_hostname=LPAR1)


@on_uvloop
async def test_bodies_of_any_size_go_both_ways_over_a_kept_connection(drawer: Drawer) -> None:
    big = bytes(range(256)) * 12_000

    async def behave(each: Caller) -> None:
        while head := await each.head():
            sent = await each.reader.readexactly(len(big)) if head.startswith(b"POST") else b""
            await each.send(
                answer(sent or big, extra=b"X-Proto: %b\r\n" % (b"https" if b"Proto: https" in head else b""))
            )

    instance = RawInstance(INSTANCES[0], 9000, behave)
    async with a_secured(drawer, instance), aiohttp.ClientSession() as session:
        for _ in range(3):
            for data in (None, big):
                method = "POST" if data else "GET"
                url = f"https://{LPAR1}:{PORT}/orders/api/v1/x"
                body = io.BytesIO(data) if data else None
                async with session.request(method, url, data=body, ssl=caller(drawer)) as got:
                    assert (await got.read(), got.headers["X-Proto"]) == (big, "https")


@on_uvloop
async def test_a_client_that_reads_slowly_gets_all_of_it(drawer: Drawer) -> None:
    """Also when the gateway ends the connection: what the kernel holds is not sent yet."""
    body = b"x" * 8_000_000
    instance = RawInstance(INSTANCES[0], 9000, answering(body))
    async with a_secured(drawer, instance, body_timeout_s=0.3):
        reader, writer = await dialled(drawer)
        writer.write(GET.replace(b"Host: g\r\n", b"Host: g\r\nConnection: close\r\n"))
        await reader.readuntil(b"\r\n\r\n")
        got = 0
        while data := await reader.read(200_000):
            got += len(data)
            await asyncio.sleep(0.05)
        assert got == len(body)
        writer.close()


@on_uvloop
async def test_an_answer_that_breaks_off_is_no_whole_one(drawer: Drawer) -> None:
    async def behave(each: Caller) -> None:
        await each.head()
        await each.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        each.reset()

    async with a_secured(drawer, RawInstance(INSTANCES[0], 9000, behave)), aiohttp.ClientSession() as session:
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            async with session.get(f"https://{LPAR1}:{PORT}/orders/api/v1/x", ssl=caller(drawer)) as got:
                await got.read()


@on_uvloop
async def test_who_says_nothing_or_speaks_in_plain_is_sent_away(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.listener.HANDSHAKE_S", 0.3)
    async with a_secured(drawer, RawInstance(INSTANCES[0], 9000, answering(b"ok"))) as rig:
        for said in (b"", GET):
            reader, writer = await asyncio.open_connection(LPAR1, PORT)
            writer.write(said)
            with contextlib.suppress(ConnectionError):
                assert b"HTTP" not in await reader.read()
            writer.close()
        assert not rig.gateway.path.clients


@on_uvloop
async def test_a_connection_at_rest_ends_in_order_when_the_gateway_does(drawer: Drawer) -> None:
    async with a_secured(drawer, RawInstance(INSTANCES[0], 9000, answering(b"ok")), drain_s=1.0) as rig:
        reader, writer = await dialled(drawer)
        writer.write(GET)
        await reader.readuntil(b"ok")
        stopping = asyncio.create_task(rig.gateway.stop())
        assert await reader.read() == b""
        await stopping
        writer.close()


@on_uvloop
async def test_what_is_internal_exists_for_holders_of_a_certificate_only(drawer: Drawer) -> None:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_secured(drawer, instance, service="plain") as rig, aiohttp.ClientSession() as session:
        rig.discovery.put(an_instance("vault", 9000, INSTANCES[0], metadata={"plexmesh.visibility": "internal"}))
        await until(lambda: b"vault" in rig.gateway.path.snapshot.upstreams)
        statuses = []
        for name in ("", "client"):
            async with session.get(f"https://{LPAR1}:{PORT}/vault/api/v1/x", ssl=caller(drawer, name)) as got:
                statuses.append(got.status)
        assert statuses == [404, 200]


@on_uvloop
async def test_what_is_internal_is_named_to_holders_of_a_certificate_only(drawer: Drawer) -> None:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    paths = ("/gateway/v1/sysplex", "/gateway/v1/upstreams", "/console/v1/told", "/console/v1/stream")
    forged = {"X-Certificate-CommonName": "client", "X-Certificate-Role": "peer"}
    async with a_secured(drawer, instance) as rig, aiohttp.ClientSession(headers=forged) as session:
        rig.discovery.put(an_instance("vault", 9000, INSTANCES[0], metadata={"plexmesh.visibility": "internal"}))
        await until(lambda: b"vault" in rig.gateway.path.snapshot.upstreams)
        for path in paths:
            said = {}
            for name in ("", "client"):
                async with session.get(f"https://{LPAR1}:{PORT}{path}", ssl=caller(drawer, name)) as got:
                    assert got.status == 200
                    if path.endswith("stream"):
                        said[name] = b"".join([await got.content.readuntil(b"\n\n") for _ in ("hello", "whole")])
                    else:
                        said[name] = await got.read()
            assert (b"vault" in said[""], b"vault" in said["client"]) == (False, True), path
            assert b"orders" in said[""], path


@on_uvloop
async def test_what_is_internal_is_explained_as_what_does_not_exist(drawer: Drawer) -> None:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_secured(drawer, instance) as rig, aiohttp.ClientSession() as session:
        rig.discovery.put(an_instance("vault", 9000, INSTANCES[0], metadata={"plexmesh.visibility": "internal"}))
        await until(lambda: b"vault" in rig.gateway.path.snapshot.upstreams)
        said = {}
        for service in ("vault", "waste", "vautl"):
            url = f"https://{LPAR1}:{PORT}/gateway/v1/explain?url=https://{LPAR1}:{PORT}/{service}/api/v1/x"
            async with session.get(url, ssl=caller(drawer)) as got:
                said[service] = (await got.text()).replace(service, "it")
        assert said["vault"] == said["waste"] == said["vautl"]
        for path in ("/console/v1/apidoc/vault/0", "/console/v1/instances/vault/x/lease"):
            async with session.get(f"https://{LPAR1}:{PORT}{path}", ssl=caller(drawer)) as got:
                assert got.status == 404


@on_uvloop
async def test_zowes_services_are_for_those_who_show_who_they_are(drawer: Drawer) -> None:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_secured(drawer, instance, registry_endpoint=True), aiohttp.ClientSession() as session:
        for path in ("services", "api/v1/services", "services/orders", "api/v1/registry", "conformance/orders"):
            url = f"https://{LPAR1}:{PORT}/gateway/{path}"
            async with session.get(url, ssl=caller(drawer)) as got:
                assert (got.status, (await got.json())["messages"][0]["messageNumber"]) == (401, "ZWEAO402E")
            async with session.get(url, ssl=caller(drawer, "client")) as got:
                assert got.status in (200, 400), path
        async with session.get(f"https://{LPAR1}:{PORT}/gateway/version", ssl=caller(drawer)) as got:
            assert got.status == 200


@on_uvloop
async def test_the_lpars_certificate_is_shown_to_parts_of_the_mesh_alone(drawer: Drawer) -> None:
    """What calls itself internal may be anybody, and lead to a launcher's port: it would take that for an order."""

    async def tell(each: Caller) -> None:
        while await each.head():
            await each.send(answer(subject(each.writer.get_extra_info("peercert")).encode()))

    tls = drawer.tls("server", INSTANCES[0]).server
    instance = RawInstance(INSTANCES[0], 9443, tell, tls)
    internal = {"plexmesh.visibility": "internal"}
    async with a_secured(drawer, instance, service="plain") as rig, aiohttp.ClientSession() as session:
        for service in ("vault", "cachingservice"):
            rig.discovery.put(an_instance(service, 9443, INSTANCES[0], secure=True, metadata=internal))
        await until(lambda: {b"vault", b"cachingservice"} <= rig.gateway.path.snapshot.upstreams.keys())
        shown = {}
        for service in ("vault", "cachingservice"):
            url = f"https://{LPAR1}:{PORT}/{service}/api/v1/x"
            async with session.get(url, ssl=caller(drawer, "client")) as got:
                shown[service] = await got.text()
        assert shown == {"vault": "", "cachingservice": "LPAR1"}


@on_uvloop
async def test_a_service_with_x509_is_told_whose_certificate_its_caller_has_shown(drawer: Drawer) -> None:
    async def echo(each: Caller) -> None:
        while head := await each.head():
            await each.send(answer(head))

    metadata = {"apiml.authentication.scheme": "x509"}
    instance = RawInstance(INSTANCES[0], 9000, echo)
    forged = {"X-Certificate-CommonName": "LPAR1", "X-Certificate-DistinguishedName": "CN=LPAR1"}
    async with a_secured(drawer, instance, metadata=metadata), aiohttp.ClientSession(headers=forged) as session:
        url = f"https://{LPAR1}:{PORT}/orders/api/v1/x"
        async with session.get(url, ssl=caller(drawer, "client")) as got:
            head = (await got.read()).decode()
            assert "X-Zowe-Auth-Failure" not in got.headers
        assert "X-Certificate-DistinguishedName: CN=client, OU=plexmesh client, O=PLEX1\r\n" in head
        assert "X-Certificate-CommonName: client\r\n" in head
        pem = ssl.PEM_cert_to_DER_cert((drawer.folder / "client.pem").read_text())
        assert f"X-Certificate-Public: {base64.b64encode(pem).decode()}\r\n" in head
        assert "CN=LPAR1" not in head
        assert head.count("X-Certificate-") == 3
    async with a_secured(drawer, instance, metadata=metadata), aiohttp.ClientSession(headers=forged) as session:
        async with session.get(url, ssl=caller(drawer)) as got:
            head = (await got.read()).decode()
            assert got.headers["X-Zowe-Auth-Failure"].startswith("ZWEAG167E")
        assert "X-Certificate" not in head
        assert "X-Zowe-Auth-Failure: ZWEAG167E" in head


@on_uvloop
async def test_browsers_are_told_to_use_tls_by_the_gateway_alone(drawer: Drawer) -> None:
    told = "Strict-Transport-Security"
    instance = RawInstance(
        INSTANCES[0], 9000, answering(answer(b"ok", extra=b"strict-transport-security: max-age=1\r\n"))
    )
    async with a_secured(drawer, instance, hsts_s=77) as rig, aiohttp.ClientSession() as session:
        rig.discovery.put(an_instance("broken", 9001, INSTANCES[0]))
        await until(lambda: b"broken" in rig.gateway.path.snapshot.upstreams)
        for path in ("/orders/api/v1/x", "/none/api/v1", "/broken/api/v1", "/gateway/v1/upstreams"):
            async with session.get(f"https://{LPAR1}:{PORT}{path}", ssl=caller(drawer)) as got:
                assert got.headers.getall(told) == ["max-age=77"], path
    async with a_gateway(instance, hsts_s=77) as rig:
        assert (await rig.get("/orders/api/v1/x")).header(told) is None


@on_uvloop
async def test_handshakes_that_fail_are_counted_by_their_reason_and_told_once(
    drawer: Drawer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.listener.HANDSHAKE_S", 0.5)
    caplog.set_level("INFO", "plexmesh.gateway")
    theirs = a_drawer(tmp_path / "theirs")

    def shows(files: Files) -> ssl.SSLContext:
        context = caller(drawer)
        context.load_cert_chain(files.certificate, files.key)
        return context

    old = caller(drawer)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    disbelieving = ssl.create_default_context(cafile=theirs.folder / "ca.pem")
    tries: dict[str, ssl.SSLContext | bytes] = {
        "unknown_authority": shows(theirs.client("eve")),
        "expired": shows(Drawer(drawer.folder, drawer.authority).client("worn", now=LONG_AGO)),
        "protocol": old, "refused": disbelieving, "plain_http": GET, "silent": b"",
    }  # fmt: skip
    async with a_secured(drawer, RawInstance(INSTANCES[0], 9000, answering(b"ok"))) as rig:
        meters = rig.gateway.path.meters
        for reason, how in tries.items():
            for count in (1, 2):
                await asyncio.to_thread(try_out, how)
                await until(lambda reason=reason, count=count: getattr(meters, f"{reason}_handshakes") == count)
        before = meters.cut_handshakes  # by who looked whether the gateway listens
        _, writer = await asyncio.open_connection(LPAR1, PORT)
        writer.close()
        await until(lambda: meters.cut_handshakes > before)
        assert meters.other_handshakes == 0
    told = [record.fields["reason"] for record in caplog.records if record.message == "handshake.failed"]  # type: ignore[attr-defined]
    assert [each for each in told if each != "cut"] == list(tries)
    registry = CollectorRegistry()
    registry.register(Shown(meters))
    text = generate_latest(registry).decode()
    assert 'plexmesh_gateway_handshakes_failed_total{reason="plain_http"} 2.0' in text


def try_out(how: ssl.SSLContext | bytes) -> None:
    """To the end of the connection. (A client on the loop closes it before its alert has gone.)"""
    with socket.create_connection((LPAR1, PORT), timeout=10) as sock, contextlib.suppress(OSError):
        if isinstance(how, bytes):
            sock.sendall(how)
            sock.recv(1)
            return
        with how.wrap_socket(sock, server_hostname=LPAR1) as secured:
            secured.sendall(GET)
            secured.recv(1)


class Shown(Collector):
    def __init__(self, meters: Meters) -> None:
        self.meters = meters

    def collect(self) -> list[Metric]:
        return [handshakes(self.meters)]
