"""What `tests.peers.compare` asks both servers, in this order: each request finds what those before it have left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.peers.real_server import instance

JSON, XML = "application/json", "application/xml"
T0 = 1_790_000_000_000


class Request(NamedTuple):
    name: str
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = {}


def _document(**fields: Any) -> dict[str, Any]:
    return instance("BASKET", "b:1", lastDirtyTimestamp=str(T0), **fields)


def _json(name: str, path: str) -> Request:
    return Request(name, "GET", path, headers={"Accept": JSON})


def _xml(name: str, path: str) -> Request:
    return Request(name, "GET", path, headers={"Accept": XML})


XML_INSTANCE = (
    b"<instance><instanceId>x-1</instanceId><hostName>h.test</hostName><app>MAIL</app><ipAddr>192.0.2.2</ipAddr>"
    b'<status>UP</status><port enabled="true">25</port><securePort enabled="false">443</securePort>'
    b'<dataCenterInfo class="com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"><name>MyOwn</name>'
    b"</dataCenterInfo><metadata><k__1>a</k__1><zone>north</zone></metadata><vipAddress>mail,smtp</vipAddress>"
    b"<lastDirtyTimestamp>1790000000000</lastDirtyTimestamp></instance>"
)


def requests() -> Iterator[Request]:
    yield from _empty()
    yield from _registering()
    yield from _reading()
    yield from _beating()
    yield from _overriding()
    yield from _wrong()
    yield from _batches()
    yield from _leaving()


def _empty() -> Iterator[Request]:
    for path in ("apps", "apps/delta", "vips/basket", "apps/BASKET", "apps/BASKET/b:1", "instances/b:1"):
        yield _json(f"{path}, empty, JSON", path)
        yield _xml(f"{path}, empty, XML", path)


def _registering() -> Iterator[Request]:
    yield Request("register", "POST", "apps/BASKET", _document(secureVipAddress="basket-s"))
    yield Request("register again", "POST", "apps/BASKET", _document(secureVipAddress="basket-s"))
    yield Request("register, XML", "POST", "apps/MAIL", XML_INSTANCE, {"Content-Type": XML, "Accept": XML})
    other = instance("Mail", "m/2", lastDirtyTimestamp=T0, status="DOWN", metadata={}, leaseInfo=..., vipAddress=None)
    yield Request("register, lower case, id with a slash", "POST", "apps/mail", other)


def _reading() -> Iterator[Request]:
    for path in ("apps", "apps/", "apps/delta", "apps/BASKET", "apps/basket", "apps/BASKET/b:1", "apps/BASKET/b%3A1"):
        yield _json(f"{path}, JSON", path)
        yield _xml(f"{path}, XML", path)
    for path in ("instances/b:1", "vips/basket", "vips/mail", "vips/smtp", "vips/none", "svips/basket-s", "v2/apps"):
        yield _json(f"{path}, JSON", path)
        yield _xml(f"{path}, XML", path)
    for path in ("apps", "apps/delta", "apps/BASKET", "vips/basket"):
        for accept in (JSON, XML):
            yield Request(
                f"{path}, compact, {accept}", "GET", path, None, {"Accept": accept, "X-Eureka-Accept": "compact"}
            )
    for accept in ("", "*/*", "text/html", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"):
        yield Request(f"apps, Accept {accept!r}", "GET", "apps", None, {"Accept": accept} if accept else {})
    yield Request("apps, gzip", "GET", "apps", None, {"Accept": JSON, "Accept-Encoding": "gzip"})
    yield Request("apps, identity", "GET", "apps", None, {"Accept": JSON, "Accept-Encoding": "identity"})
    yield _json("regions", "apps?regions=a,b")
    yield Request("HEAD apps", "HEAD", "apps", None, {"Accept": JSON})
    yield _json("id with a slash", "apps/MAIL/m%2F2")


def _beating() -> Iterator[Request]:
    def beat(name: str, query: str, **headers: str) -> Request:
        return Request(f"heartbeat, {name}", "PUT", f"apps/BASKET/b:1{query}", None, headers)

    yield beat("plain", "")
    yield beat("as Java sends it", f"?status=UP&lastDirtyTimestamp={T0}")
    yield beat("newer stamp", f"?status=UP&lastDirtyTimestamp={T0 + 1}")
    yield beat("older stamp", f"?status=UP&lastDirtyTimestamp={T0 - 1}")
    yield beat("stamp that is none", "?lastDirtyTimestamp=soon")
    peer = {"x-netflix-discovery-replication": "true"}
    yield beat("older stamp, from a server, JSON", f"?lastDirtyTimestamp={T0 - 1}", Accept=JSON, **peer)
    yield beat("older stamp, from a server, XML", f"?lastDirtyTimestamp={T0 - 1}", Accept=XML, **peer)
    yield beat("newer stamp and override, from a server", f"?lastDirtyTimestamp={T0 + 1}&overriddenstatus=DOWN", **peer)
    yield _json("what that left", "apps/BASKET/b:1")
    yield Request("clear it", "DELETE", "apps/BASKET/b:1/status?value=UP")
    yield Request("heartbeat, unknown", "PUT", "apps/BASKET/none")
    yield Request("heartbeat, unknown, JSON", "PUT", "apps/BASKET/none", None, {"Accept": JSON})
    yield Request("heartbeat, unknown app", "PUT", "apps/NONE/b:1")


def _overriding() -> Iterator[Request]:
    status = "apps/BASKET/b:1/status"
    yield Request("override", "PUT", f"{status}?value=OUT_OF_SERVICE")
    yield _json("overridden, JSON", "apps/BASKET/b:1")
    yield _xml("overridden, XML", "apps/BASKET/b:1")
    yield _json("delta after an override", "apps/delta")
    yield Request("overrides", "GET", "serverinfo/statusoverrides", None, {"Accept": JSON})
    yield Request("heartbeat, overridden", "PUT", f"apps/BASKET/b:1?status=UP&lastDirtyTimestamp={T0}")
    yield Request("register, overridden", "POST", "apps/BASKET", _document())
    yield _json("registered, overridden", "apps/BASKET/b:1")
    yield Request("clear with a status", "DELETE", f"{status}?value=UP")
    yield _json("cleared", "apps/BASKET/b:1")
    yield Request("override again", "PUT", f"{status}?value=DOWN&lastDirtyTimestamp={T0 + 5}")
    yield _json("overridden with a stamp", "apps/BASKET/b:1")
    yield Request("clear without a status", "DELETE", status)
    yield _json("cleared without a status", "apps/BASKET/b:1")
    yield Request("heartbeat after that", "PUT", f"apps/BASKET/b:1?status=UP&lastDirtyTimestamp={T0 + 5}")
    yield Request("register after that", "POST", "apps/BASKET", instance("BASKET", "b:1", lastDirtyTimestamp=T0 + 6))
    yield _json("registered after that", "apps/BASKET/b:1")
    for value in ("", "?value=", "?value=up", "?value=SLEEPY"):
        yield Request(f"override {value!r}", "PUT", f"{status}{value}")
    yield Request("clear to 'up'", "DELETE", f"{status}?value=up")
    yield Request("override, unknown", "PUT", "apps/BASKET/none/status?value=UP")
    yield Request("clear, unknown", "DELETE", "apps/BASKET/none/status?value=UP")
    yield Request("own word OUT_OF_SERVICE", "POST", "apps/BASKET", _word("OUT_OF_SERVICE", 7))
    yield _json("own word OUT_OF_SERVICE, seen", "apps/BASKET/b:1")
    yield Request("own word UP again", "POST", "apps/BASKET", _word("UP", 8))
    yield _json("own word UP again, seen", "apps/BASKET/b:1")
    yield Request("metadata", "PUT", "apps/BASKET/b:1/metadata?colour=green&zone=south&zone=west")
    yield _json("metadata, seen", "apps/BASKET/b:1")
    yield Request("metadata, unknown", "PUT", "apps/BASKET/none/metadata?a=b")


def _word(status: str, later: int) -> dict[str, Any]:
    return instance("BASKET", "b:1", status=status, lastDirtyTimestamp=T0 + later)


def _wrong() -> Iterator[Request]:
    def refused(name: str, **fields: Any) -> Request:
        return Request(f"register, {name}", "POST", "apps/WRONG", instance("WRONG", "w", **fields), {"Accept": JSON})

    for field in (
        "instanceId",
        "hostName",
        "ipAddr",
        "app",
        "dataCenterInfo",
        "status",
        "port",
        "leaseInfo",
        "metadata",
    ):
        yield refused(f"no {field}", **{field: ...})
        yield _json(f"register, no {field}, seen", "apps/WRONG")
        yield Request(f"register, no {field}, gone", "DELETE", "apps/WRONG/w")
    yield refused("another app", app="OTHER")
    yield refused("plain port", port=8080)
    yield refused("status of its own", status="SLEEPY")
    yield _json("status of its own, seen", "apps/WRONG")
    yield refused("data centre of its own", dataCenterInfo={"name": "Elsewhere"})
    yield refused("stamp that is none", lastDirtyTimestamp="soon")
    for name, body in (
        ("nothing", b""),
        ("no JSON", b"{"),
        ("no wrapper", json.dumps(_document()["instance"]).encode()),
    ):
        for accept in (JSON, XML):
            fields = {"Content-Type": JSON, "Accept": accept}
            yield Request(f"register {name}, {accept}", "POST", "apps/BASKET", body, fields)
    yield Request("register text", "POST", "apps/BASKET", b"b:1", {"Content-Type": "text/plain"})
    yield Request("register XML that is none", "POST", "apps/BASKET", b"<instance>", {"Content-Type": XML})
    for method, path in (
        ("POST", "apps"), ("DELETE", "apps"), ("PUT", "apps/BASKET"), ("DELETE", "apps/BASKET"), ("POST", "vips/x"),
        ("POST", "apps/BASKET/b:1"), ("GET", "apps/BASKET/b:1/status"), ("GET", "nothing"), ("PATCH", "apps"),
        ("GET", "apps/A/b/c/d"), ("GET", "peerreplication/batch"), ("PUT", "asg/x/status?value=ENABLED"),
    ):  # fmt: skip
        yield Request(f"{method} {path}", method, path, None, {"Accept": JSON})


def _batches() -> Iterator[Request]:
    def batch(name: str, body: Any) -> Request:
        return Request(f"batch, {name}", "POST", "peerreplication/batch/", body, {"Accept": JSON, "Content-Type": JSON})

    def item(action: str, **fields: Any) -> dict[str, Any]:
        return {"appName": "BASKET", "id": "none", "action": action, **fields}

    yield batch("empty", {"replicationList": []})
    yield batch("unknown instance", {"replicationList": [item(each) for each in ("Heartbeat", "Cancel")]})
    yield batch("item without anything", {"replicationList": [{}]})
    yield batch("registration without an instance", {"replicationList": [item("Register")]})
    yield batch("unknown action", {"replicationList": [item("Jump")]})
    yield batch("no status", {"replicationList": [item("StatusUpdate", lastDirtyTimestamp=1)]})
    yield batch("clear without a stamp", {"replicationList": [item("DeleteStatusOverride", id="b:1", status="UP")]})
    yield batch("no list", {})
    yield batch("a list", [])
    yield batch("no JSON", b"{")
    yield batch("nothing", b"")


def _leaving() -> Iterator[Request]:
    yield Request("deregister", "DELETE", "apps/BASKET/b:1")
    yield Request("deregister again", "DELETE", "apps/BASKET/b:1")
    yield Request("deregister again, JSON", "DELETE", "apps/BASKET/b:1", None, {"Accept": JSON})
    yield _json("delta at the end, JSON", "apps/delta")
    yield _xml("delta at the end, XML", "apps/delta")
    yield Request("deregister, id with a slash", "DELETE", "apps/MAIL/m%2F2")
    yield _json("list at the end", "apps")
