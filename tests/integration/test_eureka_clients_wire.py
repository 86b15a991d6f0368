"""What other Eureka clients send and expect, replayed byte for byte: Java (Netflix, Spring), Steeltoe (.NET), Zowe's
enablers for Node.js (it speaks TLS only) and Python, and Prometheus.
"""

from __future__ import annotations

import gzip
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.discovery_rig import PORT, DiscoveryNode
from tests.integration.eureka_prometheus import read
from tests.integration.eureka_rig import ask, instance, listed, pair
from tests.integration.launcher_rig import poll

HOSTS = [f"127.0.{third}.{os.getpid() % 250 + 1}" for third in (117, 118)]

Nodes = tuple[DiscoveryNode, DiscoveryNode]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with pair(tmp_path_factory.mktemp("nodes"), *HOSTS) as both:
        yield both


@dataclass
class Answer:
    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def packed(self) -> bool:
        return self.fields.get("content-encoding") == "gzip"

    def json(self) -> Any:
        assert self.fields["content-type"] == "application/json"
        return json.loads(self._unpacked())

    def xml(self) -> bytes:
        assert self.fields["content-type"] == "application/xml"
        return self._unpacked()

    def _unpacked(self) -> bytes:
        return gzip.decompress(self.body) if self.packed else self.body


class Line:
    """A connection that a client keeps; what is between two answers would be noticed."""

    def __init__(self, node: DiscoveryNode) -> None:
        self._socket = socket.create_connection((node.host, PORT), timeout=5)
        self._read = self._socket.makefile("rb")
        self._host = f"{node.host}:{PORT}"

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._read.close()
        self._socket.close()

    def say(self, head: str, body: bytes = b"") -> Answer:
        """`head`: the request line and fields as they stand, without Host."""
        first, *fields = head.strip().split("\n")
        lines = [f"{first.strip()} HTTP/1.1", f"Host: {self._host}", *(each.strip() for each in fields), "", ""]
        self._socket.sendall("\r\n".join(lines).encode() + body)
        return self._answer()

    def _answer(self) -> Answer:
        _version, status, _reason = self._read.readline().decode().split(" ", 2)
        fields: dict[str, str] = {}
        while (line := self._read.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        assert "transfer-encoding" not in fields
        length = 0 if status == "204" else int(fields["content-length"])
        return Answer(int(status), fields, self._read.read(length))


def register(node: DiscoveryNode, app: str, id: str, **fields: Any) -> None:
    assert ask(node, "POST", f"/eureka/apps/{app}", instance(app, id, **fields))[0] == 204


def gone(node: DiscoveryNode, key: str) -> bool:
    return key not in listed(node)


# --- Java

JAVA = """
    Accept: application/json
    DiscoveryIdentity-Name: DefaultClient
    DiscoveryIdentity-Version: 1.4
    DiscoveryIdentity-Id: 10.1.4.7
    X-Discovery-AllowRedirect: false
    Accept-Encoding: gzip
    User-Agent: Java-EurekaClient/v2.0.6
    Connection: Keep-Alive"""


def java_registration(stamp_ms: int) -> bytes:
    center = {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"}
    lease = dict.fromkeys(
        ("registrationTimestamp", "lastRenewalTimestamp", "evictionTimestamp", "serviceUpTimestamp"), 0
    )
    fields = {
        "status": "UP",
        "overriddenStatus": "UNKNOWN",
        "port": {"$": 8080, "@enabled": "true"},
        "securePort": {"$": 443, "@enabled": "false"},
        "countryId": 1,
        "dataCenterInfo": center,
        "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 90, **lease},
        "metadata": {"@class": "java.util.Collections$EmptyMap"},
        "isCoordinatingDiscoveryServer": "false",
        "lastUpdatedTimestamp": str(stamp_ms),
        "lastDirtyTimestamp": str(stamp_ms),
    }
    return json.dumps(instance("BASKET", "10.1.4.7:basket:8080", **fields)).encode()


def test_java_lives_its_life(nodes: Nodes) -> None:
    stamp_ms = int(time.time() * 1000)
    body = java_registration(stamp_ms)
    path = "/eureka/apps/BASKET/10.1.4.7:basket:8080"
    with Line(nodes[0]) as java:
        beat = f"PUT {path}?status=UP&lastDirtyTimestamp={stamp_ms}{JAVA}\nContent-Length: 0"
        unknown = java.say(beat)
        assert (unknown.status, unknown.body) == (404, b"")
        post = f"POST /eureka/apps/BASKET{JAVA}\nContent-Type: application/json\nContent-Length: {len(body)}"
        said = java.say(post, body)
        assert (said.status, said.body) == (204, b"")
        beaten = java.say(beat)
        assert (beaten.status, beaten.body) == (200, b""), "a body would be read as an instance"
        later = java.say(beat.replace(str(stamp_ms), str(stamp_ms + 1)))
        assert (later.status, later.body) == (404, b""), "a newer stamp: register again"
        left = java.say(f"DELETE {path}{JAVA}")
        assert (left.status, left.body) == (200, b"")
        assert java.say(f"DELETE {path}{JAVA}").status == 404


def test_java_reads_lists_whose_hash_is_that_of_their_content(nodes: Nodes) -> None:
    """Whole list first, then deltas: each with the hash of all that is registered, counted over every instance."""
    register(nodes[0], "HASHED", "h1")
    register(nodes[0], "HASHED", "h2", status="STARTING")
    with Line(nodes[0]) as java:
        for path in ("/eureka/apps/", "/eureka/apps/delta"):
            answer = java.say(f"GET {path}{JAVA}")
            assert answer.status == 200
            assert answer.packed
            found = answer.json()["applications"]
            whole = java.say("GET /eureka/apps/\nAccept: application/json").json()["applications"]
            assert found["apps__hashcode"] == whole["apps__hashcode"] == hash_of(whole)
            assert all("leaseInfo" in each for app in found["application"] for each in app["instance"])
            assert all(nothing_nested(each) for app in found["application"] for each in app["instance"])


def hash_of(applications: dict[str, Any]) -> str:
    statuses = [each["status"] for app in applications["application"] for each in app["instance"]]
    return "".join(f"{status}_{statuses.count(status)}_" for status in sorted(set(statuses)))


def nothing_nested(document: dict[str, Any]) -> bool:
    """Java's own reader ends an instance at the first closing brace of what it does not know."""
    known = {"port", "securePort", "dataCenterInfo", "leaseInfo", "metadata"}
    return all(name in known or not isinstance(value, dict | list) for name, value in document.items())


def test_an_empty_list_is_a_list_all_the_same(nodes: Nodes) -> None:
    with Line(nodes[0]) as java:
        empty = java.say(f"GET /eureka/vips/nobody{JAVA.replace('gzip', 'identity')}")
        assert empty.json() == {"applications": {"versions__delta": "-1", "apps__hashcode": "", "application": []}}
        assert java.say("GET /eureka/vips/nobody").xml() == (
            b"<applications><versions__delta>-1</versions__delta><apps__hashcode></apps__hashcode></applications>"
        )


# --- Steeltoe

STEELTOE = """
    Accept: application/json
    X-Discovery-AllowRedirect: false"""


def test_steeltoe_writes_a_space_as_a_plus_and_wants_nothing_but_2xx(nodes: Nodes) -> None:
    body = json.dumps(instance("BASKET", "my host:basket:5000", lastDirtyTimestamp=1790000000123)).encode()
    path = "/eureka/apps/BASKET/my+host%3abasket%3a5000"
    key = "BASKET/my host:basket:5000"
    with Line(nodes[0]) as net:
        post = f"POST /eureka/apps/BASKET{STEELTOE}\nContent-Type: application/json; charset=utf-8"
        statuses = [net.say(f"{post}\nContent-Length: {len(body)}", body).status]
        assert key in listed(nodes[0])
        statuses.append(net.say(f"PUT {path}?lastDirtyTimestamp=1790000000123{STEELTOE}\nContent-Length: 0").status)
        down = f"PUT {path}/status?value=DOWN&lastDirtyTimestamp=1790000000123"
        statuses.append(net.say(f"{down}{STEELTOE}\nContent-Length: 0").status)
        assert listed(nodes[0])[key] == "DOWN"
        for list in ("apps", "apps/delta", "vips/basket"):
            statuses.append(net.say(f"GET /eureka/{list}{STEELTOE}").status)
        statuses.append(net.say(f"DELETE {path}{STEELTOE}").status)
        assert all(200 <= status < 300 for status in statuses), statuses
        assert gone(nodes[0], key)


# --- Zowe's enabler for Node.js

NODE = "\n    Content-Type: application/json\n    Connection: keep-alive"


def node_registration() -> bytes:
    """The example of its README, where flags are text here and boolean there, and no lease is named."""
    document = instance("hwexpress", "localhost:hwexpress:10039", secureVipAddress="hwexpress", status="UP")
    return json.dumps(
        {
            "instance": document["instance"]
            | {
                "port": {"$": 10039, "@enabled": False},
                "securePort": {"$": 10039, "@enabled": "true"},
                "metadata": {"apiml.routes.api_v1.gatewayUrl": "api/v1", "apiml.routes.ui-v1.serviceUrl": "/"},
            }
        }
    ).encode()


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def test_zowes_node_enabler_lives_its_life(nodes: Nodes) -> None:
    """In chunks, with a type on every request, with and without a body."""
    path = "/eureka/apps/hwexpress/localhost:hwexpress:10039"
    with Line(nodes[0]) as zowe:
        unknown = zowe.say(f"PUT {path}{NODE}\nContent-Length: 0")
        assert (unknown.status, unknown.body) == (404, b"")
        post = f"POST /eureka/apps/hwexpress{NODE}\nTransfer-Encoding: chunked"
        assert zowe.say(post, chunked(node_registration())).status == 204
        beaten = zowe.say(f"PUT {path}{NODE}\nContent-Length: 0")
        assert (beaten.status, beaten.body) == (200, b"")
        bare = zowe.say(f"PUT {path}/{NODE}\nTransfer-Encoding: chunked", b"0\r\n\r\n")
        assert (bare.status, bare.body) == (200, b"")
        whole = zowe.say(f"GET /eureka/apps/{NODE}\n    Accept: application/json")
        assert not whole.packed, "it cannot unpack"
        (app,) = [each for each in whole.json()["applications"]["application"] if each["name"] == "HWEXPRESS"]
        (own,) = app["instance"]
        assert own["port"] == {"$": 10039, "@enabled": "false"}
        assert own["securePort"] == {"$": 10039, "@enabled": "true"}
        assert (own["leaseInfo"]["renewalIntervalInSecs"], own["leaseInfo"]["durationInSecs"]) == (30, 90)
        left = zowe.say(f"DELETE {path}{NODE}")
        assert (left.status, left.body) == (200, b"")
        assert gone(nodes[0], "HWEXPRESS/localhost:hwexpress:10039")


def test_a_node_enabler_that_fetches_all_the_time_disturbs_nobody(nodes: Nodes) -> None:
    """The interval in its README is in milliseconds: 200 whole lists a second, each on top of the one before."""
    register(nodes[0], "BYSTANDER", "b1", leaseInfo={"durationInSecs": 90})
    fetch = f"GET /eureka/apps/{NODE}\n    Accept: application/json"
    with Line(nodes[0]) as busy, Line(nodes[0]) as other:
        for _ in range(200):
            assert "BYSTANDER" in {app["name"] for app in busy.say(fetch).json()["applications"]["application"]}
            assert other.say("PUT /eureka/apps/BYSTANDER/b1\nContent-Length: 0").status == 200


# --- Zowe's enabler for Python

PYTHON = """
    Accept: */*
    Accept-Encoding: gzip, deflate
    User-Agent: Python/3.12 aiohttp/3.14.5
    Content-Type: application/"""


def test_zowes_python_enabler_beats_by_get_and_stays(nodes: Nodes) -> None:
    """It can only GET and POST, so its heartbeat is a GET, and so is its goodbye: which is no different from a look."""
    lease_s, key = 2, "PYSAMPLE/localhost:pysample:10018"
    stamp_ms = int(time.time() * 1000)
    document = instance("PYSAMPLE", "localhost:pysample:10018", lastDirtyTimestamp=str(stamp_ms))
    document["instance"]["leaseInfo"] = {"renewalIntervalInSecs": 1, "durationInSecs": lease_s}
    body = json.dumps(document).encode()
    look = f"GET /eureka/apps/PYSAMPLE/localhost%3Apysample%3A10018{PYTHON}xml"
    beat = look.replace("10018\n", f"10018?status=UP&lastDirtyTimestamp={stamp_ms}\n")
    with Line(nodes[0]) as zowe:
        assert zowe.say(beat).status == 404
        post = f"POST /eureka/apps/PYSAMPLE{PYTHON}json\nContent-Length: {len(body)}"
        assert zowe.say(post, body).status == 204
        poll("it is on both", lambda: all(key in listed(node) for node in nodes))
        until = time.monotonic() + 2.5 * lease_s
        while time.monotonic() < until:
            answer = zowe.say(beat)
            assert answer.status == 200
            assert answer.xml().startswith(b"<instance>")
            assert zowe.say(look).status == 200
            assert all(key in listed(node) for node in nodes)
            time.sleep(lease_s / 8)  # its interval, so much shorter
        poll("looks alone do not keep it", lambda: zowe.say(look).status == 404, 4.0)
        assert zowe.say(beat).status == 404
        assert zowe.say(post, body).status == 204


# --- Prometheus

PROMETHEUS = "\n    User-Agent: Prometheus/3.5.0\n    Accept-Encoding: gzip"

NASTY = {
    "plain": "v",
    "with space": "a b",
    "k_1": "__",
    "$dollar": "$",
    "1st": "starts with a digit",
    "-": "-",
    "xml": "<&>\"']]>",
    "ключ": "значение",
    "\U0001f600": "beyond 16 bits",
    "a/b:c@d": "x",
    "@enabled": "true",
    "class": "java.util.Collections$EmptyMap",
    "instance": "</instance>",
    "line": "one\ntwo\ttab",
    "control": "a\x00b\x1fc",
    "empty": "",
}


def test_prometheus_reads_every_target_with_all_its_metadata(nodes: Nodes) -> None:
    odd = {"port": 9090, "securePort": {"$": "9443", "@enabled": True}, "countryId": "", "lastDirtyTimestamp": "0"}
    register(nodes[0], "TARGETS", "nasty <&>", metadata=NASTY, homePageUrl="http://h.test/?a=1&b=2", **odd)
    register(nodes[0], "TARGETS", "bare")
    with Line(nodes[0]) as prometheus:
        for path in ("/eureka/apps", "/eureka/apps/delta"):
            answer = prometheus.say(f"GET {path}{PROMETHEUS}")
            assert answer.status == 200
            assert answer.packed
            found = {each.texts["instanceId"]: each for each in read(answer.xml())}
            nasty = found["nasty <&>"]
            assert nasty.metadata == NASTY | {"control": "a\ufffdb\ufffdc"}  # XML cannot say these at all
            assert (nasty.port, nasty.secure_port) == ((9090, True), (9443, True))
            assert nasty.texts["homePageUrl"] == "http://h.test/?a=1&b=2"
            assert found["bare"].metadata == {}
            assert found["bare"].secure_port == (7002, False)


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        ("<countryId>1<", "<countryId><"),
        ("<versions__delta>1<", "<versions__delta>one<"),
        ('enabled="true"', 'enabled="1"'),
        ("Server>false<", "Server><"),
        ("<metadata ", "<status>UP</status><metadata "),
        ("</port>", "</port>&"),
    ],
)
def test_the_reader_that_stands_for_prometheus_is_strict(nodes: Nodes, sound: str, broken: str) -> None:
    register(nodes[0], "STRICT", "s1")
    body = ask(nodes[0], "GET", "/eureka/apps")[1].decode()
    assert read(body.encode())
    assert sound in body
    with pytest.raises((ValueError, SyntaxError)):
        read(body.replace(sound, broken).encode())
