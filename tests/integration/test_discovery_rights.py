"""What a certificate allows at a discovery node with TLS: two real nodes, both ways in, each of the dialects.

LPAR1 has no list of who may register what, LPAR2 has one.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.certificates import Drawer, a_drawer
from tests.integration.discovery_rig import LPAR1, LPAR2, PORT, DiscoveryNode, running
from tests.integration.launcher_rig import poll

LISTED = {"services": {"CN=orders,OU=plexmesh client,O=PLEX7": ["orders"]}, "hosts": ["*.example.org"]}
FORBIDDEN_HOST = "169.254.169.254"
WAYS = pytest.mark.parametrize("way", ["short", "aiohttp"])


class Got(NamedTuple):
    status: int
    body: bytes
    why: str
    way: str


class SecureNode(DiscoveryNode):
    def __init__(self, drawer: Drawer, lpar: str, host: str, **access: object) -> None:
        super().__init__(drawer.folder.parent.parent, lpar, host, sysplex="PLEX7")
        self.drawer = drawer
        drawer.lpar(lpar, host, "localhost")
        self.url = f"https://{host}:{PORT}"
        self._environ |= {
            "PLEXMESH_TLS": "on",
            "PLEXMESH_DISCOVERY": f"https://{LPAR1}:{PORT},https://{LPAR2}:{PORT}",
            **({"PLEXMESH_ACCESS": json.dumps(access)} if access else {}),
        }

    def ask(
        self,
        name: str,
        method: str,
        path: str,
        body: bytes | str | dict[str, Any] = b"",
        *,
        way: str = "short",
        **more: str,
    ) -> Got:
        """`way`: what aiohttp is to answer asks for an end of the connection."""
        context = ssl.create_default_context(cafile=self.drawer.folder / "ca.pem")
        if name:
            context.load_cert_chain(self.drawer.folder / f"{name}.pem", self.drawer.folder / f"{name}.key")
        connection = http.client.HTTPSConnection(self.host, PORT, timeout=10, context=context)
        data = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
        kind = "application/xml" if data.startswith(b"<") else "application/json"
        headers = {"Content-Type": kind, "Content-Length": str(len(data)), **more}
        if way == "aiohttp":
            headers["Connection"] = "close"
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            gone = "aiohttp" if "Server" in answer.headers else "short"
            return Got(answer.status, answer.read(), answer.headers.get("X-Plexmesh-Why", ""), gone)
        finally:
            connection.close()

    def ready(self) -> bool:
        try:
            return self.ask("", "GET", "/application/ready").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def holds(self, service: str) -> set[str]:
        listed = json.loads(self.ask("LPAR1", "GET", f"/v1/instances?service={service}").body)["instances"]
        return {each["instance"] for each in listed}


class Mesh(NamedTuple):
    open: SecureNode
    listed: SecureNode


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    drawer = a_drawer(tmp_path_factory.mktemp("data") / "volume" / "certificates", "PLEX7")
    for name in ("orders", "billing"):
        drawer.client(name)
    drawer.client("placed", "placed.test", "192.0.2.5")
    drawer.operator("anna")
    nodes = SecureNode(drawer, "LPAR1", LPAR1), SecureNode(drawer, "LPAR2", LPAR2, **LISTED)
    with running(*nodes):
        yield Mesh(*nodes)


def as_json(app: str, instance: str = "i", host: str = "127.0.0.1", **more: object) -> str:
    fields = {
        "app": app, "instanceId": instance, "hostName": host, "ipAddr": "127.0.0.1", "status": "UP",
        "port": {"$": 9000, "@enabled": "true"}, "dataCenterInfo": {"name": "MyOwn"}, **more,
    }  # fmt: skip
    return json.dumps({"instance": fields})


def as_xml(app: str, instance: str = "i", host: str = "127.0.0.1") -> str:
    return (
        f"<instance><app>{app}</app><instanceId>{instance}</instanceId><hostName>{host}</hostName>"
        "<ipAddr>127.0.0.1</ipAddr><status>UP</status><port enabled='true'>9000</port>"
        "<dataCenterInfo class='com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo'><name>MyOwn</name>"
        "</dataCenterInfo></instance>"
    )


def test_the_two_are_one_mesh(mesh: Mesh) -> None:
    for node in mesh:
        poll("it knows the other", lambda node=node: len(node.holds("discovery")) == 2)


@WAYS
@pytest.mark.parametrize("form", [as_json, as_xml])
def test_nobody_registers_as_another_in_eurekas_words(mesh: Mesh, way: str, form: Any) -> None:
    node = mesh.listed
    got = node.ask("billing", "POST", "/eureka/apps/ORDERS", form("ORDERS"), way=way)
    assert (got.status, got.body, got.way) == (403, b"", way)
    assert got.why.startswith("service 'orders': plexmesh.access.services does not have it; the caller is 'CN=billing")
    for each in mesh:
        assert each.ask("orders", "POST", "/eureka/apps/GATEWAY", form("GATEWAY"), way=way).status == 403
        assert each.ask("anna", "POST", "/v2/apps/discovery", form("discovery"), way=way).status == 403
    assert (
        node.ask("anna", "POST", "/eureka/apps/STOCK", form("STOCK", f"{way}-{form.__name__}"), way=way).status == 204
    )
    for method, path in (
        ("PUT", "ORDERS/i"), ("DELETE", "ORDERS/i"), ("PUT", "ORDERS/i/status?value=DOWN"),
        ("DELETE", "ORDERS/i/status"), ("PUT", "orders/i/metadata?a=b"), ("DELETE", "ORDERS%2Fx/i"),
        ("GET", "ORDERS/i?status=UP&lastDirtyTimestamp=1"),
    ):  # fmt: skip
        got = node.ask("billing", method, f"/eureka/apps/{path}", way=way)
        assert (got.status, got.body) == (403, b""), path
    assert not node.holds("orders")


@WAYS
def test_nobody_registers_as_another_in_plexmeshs_words(mesh: Mesh, way: str) -> None:
    node = mesh.listed
    one = {"service": "orders", "host": "127.0.0.1", "port": 9000}
    got = node.ask("billing", "POST", "/v1/instances", one, way=way)
    assert (got.status, got.way) == (403, way)
    assert "plexmesh.access.services" in json.loads(got.body)["detail"]
    both = {"instances": [{**one, "instance": "mine"}, {**one, "service": "stock"}]}
    got = node.ask("orders", "POST", "/v1/instances", both, way=way)
    assert (got.status, json.loads(got.body)["detail"].partition(":")[0]) == (403, "instances[1]")
    assert not node.holds("orders"), "all or none"
    assert node.ask("billing", "POST", "/v1/heartbeats", {"keys": ["billing/x", "orders/i"]}, way=way).status == 403
    assert node.ask("billing", "DELETE", "/v1/instances/orders/i", way=way).status == 403
    assert node.ask("orders", "DELETE", "/v1/instances/orders/i", way=way).status == 404


@WAYS
def test_who_may_register_does_and_ends_it(mesh: Mesh, way: str) -> None:
    node, id = mesh.listed, f"own-{way}"
    assert node.ask("orders", "POST", "/eureka/apps/ORDERS", as_json("ORDERS", id), way=way).status == 204
    for method, path in (
        ("PUT", ""),
        ("PUT", "/status?value=OUT_OF_SERVICE"),
        ("PUT", "/metadata?a=b"),
        ("DELETE", ""),
    ):
        assert node.ask("orders", method, f"/eureka/apps/ORDERS/{id}{path}", way=way).status == 200
    one = {"service": "orders", "host": "127.0.0.1", "port": 9000, "instance": id}
    assert node.ask("orders", "POST", "/v1/instances", one, way=way).status == 200
    assert node.ask("orders", "POST", "/v1/heartbeats", {"keys": [f"orders/{id}"]}, way=way).status == 200
    assert node.ask("orders", "DELETE", f"/v1/instances/orders/{id}", way=way).status == 204


def test_what_one_certificate_has_registered_another_service_does_not_change_at_any_node(mesh: Mesh) -> None:
    open, listed = mesh
    assert listed.ask("orders", "POST", "/eureka/apps/ORDERS", as_json("ORDERS", "kept")).status == 204
    poll("it is known there", lambda: open.holds("orders") == {"kept"})
    path = "/eureka/apps/ORDERS/kept"
    for method, rest in (("DELETE", ""), ("PUT", "/status?value=DOWN"), ("PUT", "/metadata?a=b")):
        got = open.ask("billing", method, f"{path}{rest}")
        assert (got.status, got.why.partition(" has ")[0]) == (
            403, "instance 'orders/kept': 'CN=orders, OU=plexmesh client, O=PLEX7'",
        )  # fmt: skip
    assert open.ask("billing", "POST", "/eureka/apps/ORDERS", as_json("ORDERS", "kept", host="localhost")).status == 403
    stolen = {"service": "orders", "instance": "kept", "host": "localhost", "port": 9}
    assert open.ask("billing", "POST", "/v1/instances", stolen).status == 403
    assert open.ask("billing", "DELETE", "/v1/instances/orders/kept").status == 403
    assert open.ask("billing", "POST", "/eureka/apps/ORDERS", as_json("ORDERS", "another")).status == 204
    for name, id in (("anna", "kept"), ("billing", "another")):
        assert open.ask(name, "DELETE", f"/eureka/apps/ORDERS/{id}").status == 200


@WAYS
def test_an_operator_takes_any_instance_out_of_service(mesh: Mesh, way: str) -> None:
    ids = json.loads(mesh.open.ask("LPAR1", "GET", "/v1/instances?service=discovery").body)["instances"]
    path = f"/eureka/apps/DISCOVERY/{ids[0]['instance']}/status"
    for name, status in (("orders", 403), ("anna", 200)):
        assert mesh.open.ask(name, "PUT", f"{path}?value=OUT_OF_SERVICE", way=way).status == status
        assert mesh.open.ask(name, "DELETE", path, way=way).status == status
    assert mesh.open.ask("anna", "DELETE", path.removesuffix("/status"), way=way).status == 403


@WAYS
@pytest.mark.parametrize("form", [as_json, as_xml])
def test_nobody_names_a_forbidden_host(mesh: Mesh, way: str, form: Any) -> None:
    for host in (FORBIDDEN_HOST, "evil.test"):
        got = mesh.open.ask("billing", "POST", "/eureka/apps/BILLING", form("BILLING", host=host), way=way)
        assert (got.status, got.body.partition(b", expected")[0]) == (400, f"hostName: '{host}'".encode())
    assert mesh.open.ask("billing", "POST", "/eureka/apps/BILLING", form("BILLING", host=LPAR2), way=way).status == 204
    metadata = "apiml.service.externalUrl=http://evil.test"
    assert mesh.open.ask("billing", "PUT", f"/eureka/apps/BILLING/i/metadata?{metadata}", way=way).status == 400
    assert mesh.open.ask("billing", "DELETE", "/eureka/apps/BILLING/i", way=way).status == 200


@WAYS
def test_nobody_names_one_in_a_url_or_in_plexmeshs_words(mesh: Mesh, way: str) -> None:
    node = mesh.open
    for field in ("homePageUrl", "statusPageUrl", "healthCheckUrl", "secureHealthCheckUrl"):
        document = as_json("BILLING", **{field: "http://127.0.0.1@evil.test/"})
        got = node.ask("billing", "POST", "/eureka/apps/BILLING", document, way=way)
        assert (got.status, got.body.partition(b":")[0]) == (400, field.encode())
    document = as_json("BILLING", metadata={"apiml.apiInfo.a.swaggerUrl": f"http://{FORBIDDEN_HOST}/"})
    assert node.ask("billing", "POST", "/eureka/apps/BILLING", document, way=way).status == 400
    good = {"service": "billing", "host": "127.0.0.1", "port": 9000}
    for bad in ({"host": "evil.test"}, {"ip": FORBIDDEN_HOST}, {"health_check_url": "//evil.test"}):
        got = node.ask("billing", "POST", "/v1/instances", {"instances": [good, {**good, "port": 1, **bad}]}, way=way)
        (field,) = bad
        assert (got.status, json.loads(got.body)["detail"].partition(": ")[0]) == (400, f"instances[1].{field}")
    assert not node.holds("billing")


def test_hosts_of_the_own_certificate_and_of_the_configuration_may_be_named(mesh: Mesh) -> None:
    def status(node: SecureNode, name: str, host: str, app: str = "PLACED") -> int:
        return node.ask(name, "POST", f"/eureka/apps/{app}", as_json(app, f"{name}-{host}", host)).status

    assert [status(mesh.open, "placed", each) for each in ("placed.test", "192.0.2.5")] == [204, 204]
    assert status(mesh.open, "billing", "placed.test") == 400
    assert status(mesh.open, "placed", "a.example.org") == 400
    assert status(mesh.listed, "orders", "a.example.org", "ORDERS") == 204
    assert status(mesh.listed, "orders", "example.org", "ORDERS") == 400
    assert status(mesh.open, "LPAR2", "elsewhere.test") == 204, "an LPAR's word is believed"


@WAYS
def test_a_service_is_no_peer(mesh: Mesh, way: str) -> None:
    batch = {"replicationList": [{"appName": "ORDERS", "id": "i", "action": "Cancel"}]}
    for name in ("orders", "anna"):
        assert mesh.open.ask(name, "POST", "/peer/v1/ping", b"{}", way=way).status == 403
        assert mesh.open.ask(name, "POST", "/eureka/peerreplication/batch/", batch, way=way).status == 403
        said = {"x-netflix-discovery-replication": "true"}
        for method, path, body in (
            ("POST", "ORDERS", as_json("ORDERS", host="evil.test")), ("PUT", "ORDERS/i", ""),
            ("DELETE", "ORDERS/i", ""),
        ):  # fmt: skip
            assert mesh.open.ask(name, method, f"/eureka/apps/{path}", body, way=way, **said).status == 403
    assert mesh.open.ask("LPAR2", "POST", "/eureka/peerreplication/batch/", batch, way=way).status == 200


def test_a_refusal_is_said_once_in_the_log(mesh: Mesh) -> None:
    for _ in range(3):
        mesh.open.ask("billing", "POST", "/eureka/apps/LAUNCHER", as_json("LAUNCHER"))
    said = [each["why"] for each in mesh.open.events("instance.refused") if "'launcher'" in each["why"]]
    assert len(said) == 1


def test_without_a_certificate_there_is_no_registry(mesh: Mesh) -> None:
    for path in ("/eureka/apps", "/v2/apps", "/eureka/v2/apps/ORDERS"):
        got = mesh.open.ask("", "GET", path)
        assert (got.status, got.body, "certs issue" in got.why, got.way) == (403, b"", True, "aiohttp")
    assert mesh.open.ask("", "POST", "/v1/instances", b"{}").status == 403
