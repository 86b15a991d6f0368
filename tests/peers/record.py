"""Records what two real Eureka servers say to each other, for tests/contract/test_eureka_peers.py to play again.

    python -m tests.peers.record        writes tests/contract/eureka_exchanges; `make test-eureka` builds the server

Each file is one story: what clients of the first server did (`client`), what it told the second one for that (`said`,
with the second's answer), and what a third party told the second one in between (`told`, in the form of a batch, so
that all the second one knows came that way). Instances are inventions; headers are kept where they mean something.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.launcher_rig import poll
from tests.peers.real_server import PORT, RealServer, Reply, instance, running
from tests.peers.relay import Exchange, Relay

FOLDER = Path(__file__).parents[1] / "contract" / "eureka_exchanges"
FIRST, SECOND, WIRE = "127.0.180.1", "127.0.180.2", "127.0.180.3"
QUIET_S = 1.5
"""A batch waits for half a second; what it leads to, for another half."""

T0 = 1_790_000_000_000


class Recorder:
    def __init__(self, first: RealServer, second: RealServer, wire: Relay) -> None:
        self.first, self.second, self._wire = first, second, wire
        self._steps: list[dict[str, Any]] = []

    @contextmanager
    def story(self, name: str, about: str) -> Iterator[None]:
        self._steps = []
        yield
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.json").write_text(json.dumps({"about": about, "steps": self._steps}, indent=1) + "\n")
        print(f"{name}: {len(self._steps)} steps")

    def client(self, method: str, path: str, body: Any = None) -> None:
        """A client of the first server; then whatever that leads to between the two."""
        reply = self.first.call(method, path, body)
        self._steps.append({"client": {"method": method, "path": path, "body": body}, "status": reply.status})
        poll("it is passed on", lambda: self._wire.exchanges)
        time.sleep(QUIET_S)
        self._steps += [_said(each) for each in self._wire.exchanges]
        self._wire.exchanges.clear()

    def told(self, *items: dict[str, Any]) -> None:
        """The second server, by a third one."""
        self.batch({"replicationList": list(items)})

    def batch(self, body: Any) -> None:
        reply = self.second.call("POST", "peerreplication/batch/", body)
        self._steps.append({"told": body, "status": reply.status, "answer": _read(reply)})

    def raw(self, body: str) -> None:
        """As `batch`, of what is no JSON."""
        reply = self.second.call(
            "POST", "peerreplication/batch/", body.encode(), **{"Content-Type": "application/json"}
        )
        self._steps.append({"told": {"text": body}, "status": reply.status, "answer": _read(reply)})


def _said(exchange: Exchange) -> dict[str, Any]:
    kept = ("accept", "accept-encoding", "content-type", "transfer-encoding", "x-netflix-discovery-replication")
    return {
        "said": json.loads(exchange.body),
        "method": exchange.method,
        "path": exchange.path,
        "headers": {name.lower(): value for name, value in exchange.headers.items() if name.lower() in kept},
        "status": exchange.status,
        "answer": json.loads(exchange.answer),
    }


def _read(reply: Reply) -> Any:
    """Without the time of day that Spring puts into its errors."""
    found = reply.json
    if isinstance(found, dict):
        found.pop("timestamp", None)
    return found


def registering(app: str, id: str, dirty_ms: int, **fields: Any) -> dict[str, Any]:
    """An item."""
    document = instance(app, id, lastDirtyTimestamp=str(dirty_ms), **fields)["instance"]
    plain = {"appName": app, "id": id, "lastDirtyTimestamp": dirty_ms, "status": document["status"]}
    return plain | {"instanceInfo": document, "action": "Register"}


def item(app: str, id: str, action: str, dirty_ms: int | None = None, **fields: Any) -> dict[str, Any]:
    stamp = {} if dirty_ms is None else {"lastDirtyTimestamp": dirty_ms}
    return {"appName": app, "id": id, **stamp, **fields, "action": action}


def record(recorder: Recorder) -> None:
    def register(app: str, id: str, dirty_ms: int, **fields: Any) -> None:
        recorder.client("POST", f"apps/{app}", instance(app, id, lastDirtyTimestamp=str(dirty_ms), **fields))

    with recorder.story(
        "register", "A client registers, with all that an instance may have, and again with a new stamp."
    ):
        urls = {name: f"http://b-1.test/{name}" for name in ("homePageUrl", "statusPageUrl", "healthCheckUrl")}
        more = {"secureVipAddress": "basket-s", "appGroupName": "SHOP", "metadata": {"zone": "south", "k_1": "a b"}}
        register("BASKET", "b-1", T0, **urls, **more)
        register("BASKET", "b-1", T0 + 1, ipAddr="192.0.2.7", metadata={})
    with recorder.story("heartbeat", "A client registers and beats."):
        register("MAIL", "m-1", T0)
        recorder.client("PUT", f"apps/MAIL/m-1?status=UP&lastDirtyTimestamp={T0}")
    with recorder.story("metadata", "Metadata is added: the instance is registered again."):
        register("MAIL", "m-2", T0)
        recorder.client("PUT", "apps/MAIL/m-2/metadata?colour=green")
    with recorder.story("cancel", "A client deregisters."):
        register("MAIL", "m-3", T0)
        recorder.client("DELETE", "apps/MAIL/m-3")
    with recorder.story(
        "override", "An operator takes an instance out of service; it beats; the operator puts it back."
    ):
        register("MAIL", "m-4", T0)
        recorder.client("PUT", "apps/MAIL/m-4/status?value=OUT_OF_SERVICE")
        recorder.client("PUT", f"apps/MAIL/m-4?status=UP&lastDirtyTimestamp={T0}")
        recorder.client("DELETE", "apps/MAIL/m-4/status?value=UP")
    with recorder.story(
        "unknown_there", "A heartbeat of what the second server does not know: it is registered there."
    ):
        register("MAIL", "m-5", T0)
        recorder.told(item("MAIL", "m-5", "Cancel"))
        recorder.client("PUT", f"apps/MAIL/m-5?status=UP&lastDirtyTimestamp={T0}")
    with recorder.story(
        "newer_there", "A heartbeat of what is newer at the second server: the first one takes that in."
    ):
        register("MAIL", "m-6", T0)
        recorder.told(registering("MAIL", "m-6", T0 + 5, ipAddr="192.0.2.66"))
        recorder.client("PUT", f"apps/MAIL/m-6?status=UP&lastDirtyTimestamp={T0}")
    with recorder.story(
        "late", "Registrations and heartbeats with older and newer stamps than what is known; an override."
    ):
        recorder.told(registering("MAIL", "m-7", T0 + 5, ipAddr="192.0.2.7"))
        recorder.told(registering("MAIL", "m-7", T0 + 4, ipAddr="192.0.2.4"), item("MAIL", "m-7", "Heartbeat", T0 + 5))
        recorder.told(item("MAIL", "m-7", "Heartbeat", T0 + 4), item("MAIL", "m-7", "Heartbeat"))
        out = {"status": "OUT_OF_SERVICE", "overriddenStatus": "OUT_OF_SERVICE"}
        recorder.told(item("MAIL", "m-7", "Heartbeat", T0 + 9, **out))
        recorder.told(item("MAIL", "m-7", "Heartbeat", T0 + 4))
    with recorder.story("unknown", "All that can be said of an instance that is not known."):
        actions = ("Heartbeat", "StatusUpdate", "DeleteStatusOverride", "Cancel")
        recorder.told(*(item("MAIL", "m-8", action, T0, status="UP") for action in actions))
    with recorder.story("refused", "What the second server cannot take, in a batch with what it can."):
        recorder.told(registering("MAIL", "m-9", T0), registering("MAIL", "m-10", T0, hostName=...), {})
        recorder.told(item("MAIL", "m-9", "Heartbeat", T0), item("MAIL", "m-9", "Register", T0))
        recorder.told(item("MAIL", "m-9", "StatusUpdate", T0, status="SLEEPY"), item("MAIL", "m-9", "Heartbeat", T0))
        recorder.batch({"replicationList": []})
        recorder.batch([])
        recorder.raw("{")
    recorder_list(recorder)


def recorder_list(recorder: Recorder) -> None:
    """What a server that starts gets."""
    apps = recorder.second.call("GET", "apps/").json["applications"]
    kept = [app for app in apps["application"] if app["name"] != "WARM"]
    (FOLDER / "list.json").write_text(json.dumps({"applications": apps | {"application": kept}}, indent=1) + "\n")


def warm(servers: Iterable[RealServer], wire: Relay) -> None:
    """The first calls of a new server take seconds, and are given up and made again."""
    for server in servers:
        for _ in range(20):
            server.call("POST", "apps/WARM", instance("WARM", "w"))
            server.call("DELETE", "apps/WARM/w")
    time.sleep(2 * QUIET_S)
    wire.exchanges.clear()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        second = RealServer(folder, SECOND)
        with Relay(WIRE, PORT, second.place) as wire:
            first = RealServer(folder, FIRST, wire.url, eureka__server__peer_node_read_timeout_ms=5000)
            with running(first, second):
                warm((second, first), wire)
                record(Recorder(first, second, wire))


if __name__ == "__main__":
    main()
