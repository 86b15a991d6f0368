"""A sysplex with TLS everywhere: `plexmesh up --tls` and nothing else, real processes, real certificates."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from launcher.callers import Callers, cut, errors
from plexmesh import Service
from tests.integration.launcher_rig import ADDRESS, HOSTS, PROGRAM, VIPA_HOST, Rig, poll

VIPA = f"https://{VIPA_HOST}:7554"
GATEWAYS = [f"https://{host}:7554" for host in HOSTS.values()]
NODES = [f"https://{host}:7553" for host in HOSTS.values()]
LAUNCHER = f"https://{HOSTS['LPAR2']}:7550"
CACHE = "/cachingservice/api/v1/cache"


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("tls"))
    rig.tree["components"] = {"discovery": {}, "gateway": {"loginRefresh": True}, "caching": {}, "sample": {}}
    try:
        rig.up("--tls")
        rig.ok("certs", "issue", "client", "--password", "secret")
        rig.ok("certs", "issue", "anna", "--operator", "--password", "secret")
        yield rig
    finally:
        rig.close()


class Caller:
    """Believes the sysplex' authority, and shows that certificate, if any."""

    def __init__(self, rig: Rig, name: str = "") -> None:
        folder = rig.data / "volume" / "certificates"
        self.context = ssl.create_default_context(cafile=folder / "ca.pem")
        if name:
            self.context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.context)
        self._opener = urllib.request.build_opener(*handlers)

    def ask(self, url: str, method: str = "GET", body: object = None, **headers: str) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = urllib.request.Request(url, data, {"Content-Type": "application/json", **fields}, method=method)
        try:
            with self._opener.open(asked, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def json(self, url: str, **headers: str) -> Any:
        return json.loads(self.ask(url, **headers)[1])

    def cookie(self, url: str, body: object = "", **headers: str) -> tuple[int, str]:
        """Of a login: the status, and what a browser sends from then on."""
        data = json.dumps(body).encode() if body else b""
        asked = urllib.request.Request(url, data, headers, method="POST")
        try:
            with self._opener.open(asked, timeout=10) as answer:
                found = answer.headers["Set-Cookie"]
                assert found.endswith("; Path=/; Secure; HttpOnly; SameSite=Strict"), found
                return answer.status, found.partition(";")[0]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""


def test_everything_is_ready_and_every_address_is_with_tls(sysplex: Rig) -> None:
    status = poll("ready", lambda: found if (found := sysplex.status())["sysplex"]["state"] == "ready" else None)
    urls = [status["sysplex"]["url"], *(part["url"] for lpar in status["lpars"] for part in lpar["components"])]
    assert all(url.startswith("https://") for url in urls)
    nobody = Caller(sysplex)
    for base in (VIPA, *GATEWAYS):
        answering = {json.loads(nobody.ask(f"{base}/sample/api/v1/hello")[1])["lpar"] for _ in range(20)}
        assert answering == {"LPAR1", "LPAR2"}
    holder = Caller(sysplex, "client")
    for node in NODES:
        poll("one registry", lambda node=node: holder.json(f"{node}/v1/summary")["instances"] == 10)


@pytest.mark.parametrize("address", [f"{VIPA_HOST}:7554", f"{HOSTS['LPAR1']}:7553", f"{HOSTS['LPAR1']}:7555", ADDRESS])
def test_nothing_answers_in_plain(sysplex: Rig, address: str) -> None:
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://{address}/application/live", timeout=5
        )


def test_the_registry_is_for_holders_of_a_certificate(sysplex: Rig) -> None:
    nobody, holder = Caller(sysplex), Caller(sysplex, "client")
    for path in ("/eureka/apps", "/v2/apps", "/v1/instances", "/v1/watch", "/discovery/api/v1/staticApi"):
        status, body = nobody.ask(NODES[0] + path)
        assert (status, b"certificate" in body) == (403, not path.startswith(("/eureka", "/v2")))
    assert nobody.ask(f"{NODES[0]}/application/ready")[0] == 200
    assert holder.ask(f"{NODES[0]}/eureka/apps")[0] == 200


def test_the_cache_does_not_exist_for_those_who_have_none(sysplex: Rig) -> None:
    nobody, holder = Caller(sysplex), Caller(sysplex, "client")
    entry = {"key": "k", "value": "v"}
    assert holder.ask(GATEWAYS[0] + CACHE, "POST", entry, X_CS_Service_ID="me")[0] == 201
    for gateway in GATEWAYS:
        assert holder.ask(f"{gateway}{CACHE}/k", X_CS_Service_ID="me")[0] == 200
        status, body = nobody.ask(f"{gateway}{CACHE}/k", X_CS_Service_ID="me")
        assert status == 404
        assert b"no service has the id" in body
        forged = nobody.ask(f"{gateway}{CACHE}/k", X_CS_Service_ID="me", X_Certificate_CommonName="LPAR1")
        assert forged[0] == 404


def test_the_cache_itself_answers_holders_only(sysplex: Rig) -> None:
    nobody, holder = Caller(sysplex), Caller(sysplex, "client")
    for base in (gateway.replace("7554", "7555") for gateway in GATEWAYS):
        for key in ("direct", "openapi.json"):
            url = f"{base}{CACHE}/{key}"
            assert nobody.ask(url, X_CS_Service_ID="me")[0] == 403
            assert holder.ask(url, X_CS_Service_ID="me")[0] == 404
        assert nobody.ask(f"{base}/cachingservice/api/v1/openapi.json")[0] == 200


def test_health_says_how_long_the_certificate_is_good(sysplex: Rig) -> None:
    holder = Caller(sysplex, "client")
    up = f"https://{ADDRESS}"
    for base in (*GATEWAYS, *NODES, *(gateway.replace("7554", "7555") for gateway in GATEWAYS), LAUNCHER, up):
        part = holder.json(f"{base}/application/health")["components"]["certificate"]
        assert (part["status"], part["details"]["colour"]) == ("UP", "green")


@pytest.mark.parametrize("path", ["/gateway/certificates", "/gateway/api/v1/certificates"])
def test_a_gateway_shows_the_chain_of_its_certificate(sysplex: Rig, path: str) -> None:
    shown = Caller(sysplex).ask(GATEWAYS[0] + path)[1].decode()
    folder = sysplex.data / "volume" / "certificates"
    assert shown == (folder / "LPAR1.pem").read_text() + (folder / "ca.pem").read_text()


def test_messages_between_nodes_are_lpars_alone(sysplex: Rig) -> None:
    for caller in (Caller(sysplex), Caller(sysplex, "client"), Caller(sysplex, "anna")):
        status, body = caller.ask(f"{NODES[0]}/peer/v1/ping", "POST", {})
        assert (status, b"LPARs of this sysplex" in body) == (403, True)
    assert Caller(sysplex, "LPAR2").ask(f"{NODES[0]}/peer/v1/ping", "POST", {}) == (403, b""), "it is not signed"


def test_orders_need_an_operators_certificate(sysplex: Rig) -> None:
    nobody, client, operator = Caller(sysplex), Caller(sysplex, "client"), Caller(sysplex, "anna")
    orders = [
        (f"{LAUNCHER}/v1/components/sample/pause", "POST"), (f"https://{ADDRESS}/v1/lpars/LPAR2/pause", "POST"),
        (f"{GATEWAYS[1]}/gateway/v1/vipa", "PUT"), (f"{GATEWAYS[1]}/gateway/v1/reload", "PUT"),
    ]  # fmt: skip
    for url, method in orders:
        for caller in (nobody, client):
            for headers in ({}, {"X_Certificate_CommonName": "LPAR1", "X_Certificate_Role": "peer"}):
                status, body = caller.ask(url, method, {"state": "out"}, **headers)
                assert (status, b"plexmesh certs issue NAME --operator" in body) == (403, True), url
    for name in ("anna", "LPAR1", "sysplex"):
        assert Caller(sysplex, name).ask(f"{GATEWAYS[1]}/gateway/v1/vipa", "PUT", {"state": "in"})[0] == 200
    assert operator.ask(f"https://{ADDRESS}/v1/lpars/LPAR2/nonsense", "POST", {})[0] in (400, 404)
    assert operator.ask(f"{LAUNCHER}/v1/command", "POST", {"command": "DISP"})[0] == 200
    console = {"Origin": VIPA, "Host": f"{VIPA_HOST}:7554"}
    url = f"{VIPA}/console/v1/instances/nobody/x/status"
    assert [each.ask(url, "POST", {"status": "UP"}, **console)[0] for each in (nobody, client, operator)] == [
        403, 403, 404,
    ]  # fmt: skip
    url = f"{VIPA}/console/v1/lab/lpars/LPAR9/kill"
    assert [each.ask(url, "POST", {}, **console)[0] for each in (nobody, client, operator)] == [403, 403, 404]
    assert all(each["state"] == "ready" for each in sysplex.status()["lpars"])


async def test_a_service_registers_with_its_certificate_and_in_plain_it_stays(
    sysplex: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sysplex.data / "volume" / "certificates"
    monkeypatch.setenv("PLEXMESH_CA", str(folder / "ca.pem"))
    monkeypatch.setenv("PLEXMESH_CERTIFICATE", str(folder / "client.pem"))
    monkeypatch.setenv("PLEXMESH_CERTIFICATE_KEY", str(folder / "client.key"))
    async with asyncio.timeout(20):
        async with Service("orders", port=9000, host="127.0.0.1", discovery=NODES, drain_s=0, required=True):
            seen = await asyncio.to_thread(Caller(sysplex, "client").json, f"{NODES[1]}/v1/instances?service=orders")
            while not seen["instances"]:
                seen = await asyncio.to_thread(
                    Caller(sysplex, "client").json, f"{NODES[1]}/v1/instances?service=orders"
                )
            (instance,) = seen["instances"]
            assert not instance.get("secure", False)
            assert instance["health_check_url"].startswith("http://")


def test_a_command_finds_its_certificates_by_its_data_folder(sysplex: Rig, tmp_path: Path) -> None:
    asked = [PROGRAM, "explain", "/sample/api/v1/hello", "--no-call", "--gateway", GATEWAYS[0], "--json"]
    done = subprocess.run(
        [*asked, "--data", sysplex.data], cwd=tmp_path, env=sysplex.environ, capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, '"LPAR1"' in done.stdout) == (0, True), done.stderr


async def test_an_lpar_is_killed_and_nobody_notices(sysplex: Rig) -> None:
    callers = Callers(f"{VIPA}/sample/api/v1/hello", 100, Caller(sysplex).context)
    calling = asyncio.create_task(callers.run())
    await asyncio.sleep(1)
    assert (await asyncio.to_thread(sysplex.call, "kill", "LPAR2")).returncode == 0
    await asyncio.sleep(2)
    assert (await asyncio.to_thread(sysplex.call, "start", "LPAR2")).returncode == 0
    callers.stop()
    await calling
    assert errors(callers.outcomes) == []
    assert len(cut(callers.outcomes)) <= 2, "those that were inside the gateway that died"
    assert len(callers.outcomes) > 200


def test_certificates_are_exchanged_while_everything_runs(sysplex: Rig) -> None:
    def shown() -> bytes:
        context = Caller(sysplex).context
        with (
            socket.create_connection((HOSTS["LPAR1"], 7554), timeout=5) as sock,
            context.wrap_socket(sock, server_hostname=HOSTS["LPAR1"]) as secured,
        ):
            found = secured.getpeercert(binary_form=True)
        assert found is not None
        return found

    before = shown()
    sysplex.ok("certs", "init", "--force", "--config", str(sysplex.file))
    poll("the new one is shown", lambda: shown() != before)
    assert Caller(sysplex).ask(f"{VIPA}/sample/api/v1/hello")[0] == 200
    assert sysplex.call("status").returncode == 0


# --- Zowe's published clients, unchanged

ENABLED_HOST, NODE_PORT, PYTHON_PORT = HOSTS["LPAR1"], 9700, 9701
LEASE_S = 3


def node_configuration(rig: Rig) -> dict[str, Any]:
    """As the enabler's documentation has it."""
    folder = rig.data / "volume" / "certificates"
    base = f"https://{ENABLED_HOST}:{NODE_PORT}"
    return {
        "eureka": {
            "ssl": True, "host": HOSTS["LPAR1"], "port": 7553, "servicePath": "/eureka/apps/", "maxRetries": 30,
            "requestRetryDelay": 200, "registryFetchInterval": 5, "heartbeatInterval": 500,
            "serviceUrls": {"default": [f"{node}/eureka/apps/" for node in NODES]},
        },
        "ssl": {
            "certificate": str(folder / "nodeservice.pem"), "keystore": str(folder / "nodeservice.key"),
            "caFile": str(folder / "ca.pem"), "keyPassword": "",
        },
        "instance": {
            "app": "nodeservice", "vipAddress": "nodeservice", "instanceId": f"{ENABLED_HOST}:nodeservice:{NODE_PORT}",
            "homePageUrl": f"{base}/", "hostName": ENABLED_HOST, "ipAddr": ENABLED_HOST,
            "secureVipAddress": "nodeservice", "port": {"$": NODE_PORT, "@enabled": False},
            "securePort": {"$": NODE_PORT, "@enabled": "true"},
            "dataCenterInfo": {
                "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn",
            },
            "metadata": {
                "apiml.routes.api_v1.gatewayUrl": "api/v1", "apiml.routes.api_v1.serviceUrl": "/api/v1",
                "apiml.service.title": "Node service",
            },
        },
    }  # fmt: skip


def python_configuration(rig: Rig) -> dict[str, Any]:
    """As its code reads it; its documentation has the metadata at the top, where nobody looks."""
    folder = rig.data / "volume" / "certificates"
    base = f"https://{ENABLED_HOST}:{PYTHON_PORT}"
    return {
        "ssl": {
            "certificate": str(folder / "pythonservice.pem"), "keystore": str(folder / "pythonservice.key"),
            "caFile": str(folder / "ca.pem"), "keyPassword": None,
        },
        "eureka": {"ssl": True},
        "instance": {
            "app": "pythonservice", "vipAddress": "pythonservice", "secureVipAddress": "pythonservice",
            "instanceId": f"{ENABLED_HOST}:pythonservice:{PYTHON_PORT}", "scheme": "https", "hostName": ENABLED_HOST,
            "ipAddr": ENABLED_HOST, "port": PYTHON_PORT, "portEnabled": False, "securePort": PYTHON_PORT,
            "securePortEnabled": True, "homePageUrl": f"{base}/", "statusPageUrl": f"{base}/info",
            "healthCheckUrl": f"{base}/health",
            "metadata": {
                "apiml.routes.api_v1.gatewayUrl": "api/v1", "apiml.routes.api_v1.serviceUrl": "/api/v1",
                "apiml.service.title": "Python service",
            },
        },
    }  # fmt: skip


@contextlib.contextmanager
def an_enabled_service(
    rig: Rig, folder: Path, configuration: dict[str, Any], *command: object
) -> Iterator[subprocess.Popen[bytes]]:
    """Running until the block ends; leaves the registry then."""
    rig.ok("certs", "issue", configuration["instance"]["app"], "--host", ENABLED_HOST, "--password", "x")
    (folder / "config").mkdir()
    (folder / "config" / "service-configuration.yml").write_text(yaml.safe_dump(configuration))
    with (folder / "out").open("wb") as output:
        child = subprocess.Popen(
            [str(word) for word in command], cwd=folder, stdin=subprocess.PIPE, stdout=output, stderr=output
        )
    try:
        yield child
        child.communicate(timeout=15)
    finally:
        child.kill()
        child.wait()


AUTH = "/gateway/api/v1/auth"


def test_who_logs_in_may_give_orders_if_the_user_file_says_so(sysplex: Rig) -> None:
    for name, *more in (("olga", "--operator"), ("carl", "--certificate", "CN=client, OU=plexmesh client, O=TESTPLEX")):
        sysplex.ok("users", "add", name, *more, "--no-password", "--force")
    add = [PROGRAM, "users", "--data", str(sysplex.data), "add", "olga", "--operator", "--force", "--password-stdin"]
    subprocess.run(add, input="sesame", env=sysplex.environ, text=True, check=True, timeout=30)
    nobody, holder = Caller(sysplex), Caller(sysplex, "client")

    status, olgas = nobody.cookie(f"{GATEWAYS[0]}{AUTH}/login", {"username": "olga", "password": "sesame"})
    assert status == 204
    status, carls = holder.cookie(f"{GATEWAYS[0]}{AUTH}/login")
    assert status == 204
    assert nobody.cookie(f"{GATEWAYS[0]}{AUTH}/login")[0] == 400
    assert Caller(sysplex, "anna").cookie(f"{GATEWAYS[0]}{AUTH}/login")[0] == 401
    for gateway in GATEWAYS:
        for cookie, name in ((olgas, "olga"), (carls, "carl")):
            found = nobody.json(f"{gateway}{AUTH}/query", Cookie=cookie)
            assert (found["userId"], found["expired"]) == (name, False)
        reload = f"{gateway}/gateway/v1/vipa"
        assert nobody.ask(reload, "PUT", {"state": "in"}, Cookie=olgas)[0] == 200
        assert nobody.ask(reload, "PUT", {"state": "in"}, Cookie=carls)[0] == 403
        assert nobody.ask(reload, "PUT", {"state": "in"})[0] == 403
        me = nobody.json(f"{gateway}/console/v1/me", Cookie=olgas)
        assert (me["name"], me["by"], me["operator"], me["login"]) == ("olga", "login", True, True)

    assert nobody.cookie(f"{GATEWAYS[0]}{AUTH}/refresh", Cookie=olgas)[0] == 403
    status, fresh = holder.cookie(f"{GATEWAYS[0]}{AUTH}/refresh", Cookie=olgas)
    assert status == 204
    for gateway in GATEWAYS:
        assert nobody.ask(f"{gateway}{AUTH}/query", Cookie=fresh)[0] == 200
        poll("the old one is no more", lambda url=f"{gateway}{AUTH}/query": nobody.ask(url, Cookie=olgas)[0] == 401)


def registered(rig: Rig, node: str, service: str = "nodeservice") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Caller(rig, "client").json(f"{node}/v1/instances?service={service}")["instances"]
    return found


def test_zowes_python_enabler_stays_registered_survives_the_loss_of_its_node_and_leaves(
    sysplex: Rig, tmp_path: Path
) -> None:
    """Its heartbeats are GETs, and so is what it believes to be its deregistration."""

    def seen(node: str) -> list[dict[str, Any]]:
        return registered(sysplex, node, "pythonservice")

    def routed(gateway: str) -> bool:
        return nobody.ask(f"{gateway}/pythonservice/api/v1/x")[0] == 200

    nobody = Caller(sysplex)
    nodes = ",".join(f"{node}/eureka" for node in NODES)
    script = Path(__file__).with_name("zowe_enabler.py")
    program = [sys.executable, script, ENABLED_HOST, PYTHON_PORT, nodes, 1, LEASE_S]
    with an_enabled_service(sysplex, tmp_path, python_configuration(sysplex), *program):
        for node in NODES:
            poll("it is registered", lambda node=node: [each["status"] for each in seen(node)] == ["UP"])
        (instance,) = seen(NODES[0])
        assert (instance["secure"], instance["port"]) == (True, PYTHON_PORT)
        for gateway in GATEWAYS:
            poll("it is routed", lambda gateway=gateway: routed(gateway))
            assert nobody.json(f"{gateway}/pythonservice/api/v1/x") == {"from": "python", "path": "/api/v1/x"}
        sysplex.ok("kill", "LPAR1", "discovery")
        sysplex.ok("stop", "LPAR1", "discovery")
        until = time.monotonic() + 2 * LEASE_S
        while time.monotonic() < until:
            assert [(each["gen"], each["status"]) for each in seen(NODES[1])] == [(instance["gen"], "UP")]
            assert routed(GATEWAYS[1])
            time.sleep(0.2)
        sysplex.ok("start", "LPAR1", "discovery")
    (left,) = seen(NODES[1])
    assert left["status"] == "DOWN"
    for gateway in GATEWAYS:
        poll("out of rotation", lambda gateway=gateway: not routed(gateway))
    poll("its lease has ended", lambda: not seen(NODES[1]))


def test_zowes_node_enabler_registers_is_called_survives_the_loss_of_its_node_and_leaves(
    sysplex: Rig, tmp_path: Path
) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is missing: sudo apt-get install nodejs npm")
    script = Path(__file__).with_name("zowe_enabler.mjs")
    configuration = node_configuration(sysplex)
    with an_enabled_service(sysplex, tmp_path, configuration, "node", script, ENABLED_HOST, NODE_PORT):
        for node in NODES:
            poll("it is registered", lambda node=node: registered(sysplex, node))
        (instance,) = registered(sysplex, NODES[0])
        assert (instance["secure"], instance["port"], instance["status"]) == (True, NODE_PORT, "UP")
        nobody = Caller(sysplex)
        for gateway in GATEWAYS:
            poll("it is routed", lambda gateway=gateway: nobody.ask(f"{gateway}/nodeservice/api/v1/x")[0] == 200)
            assert nobody.json(f"{gateway}/nodeservice/api/v1/x") == {"from": "node", "path": "/api/v1/x"}
        sysplex.ok("stop", "LPAR1", "discovery")
        time.sleep(2)  # several heartbeats
        (kept,) = registered(sysplex, NODES[1])
        assert kept["gen"] == instance["gen"]
        assert nobody.ask(f"{GATEWAYS[1]}/nodeservice/api/v1/x")[0] == 200
        sysplex.ok("start", "LPAR1", "discovery")
    poll("it has left", lambda: not registered(sysplex, NODES[1]))
