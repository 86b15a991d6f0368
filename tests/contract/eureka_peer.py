"""A stand-in for a real Eureka server: it answers batches as told, and keeps what came."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

EMPTY: dict[str, Any] = {"applications": {"versions__delta": "1", "apps__hashcode": "", "application": []}}

Items = list[dict[str, Any]]


class Answer(NamedTuple):
    """`after_s`: how long it lets wait."""

    status: int
    body: Any = None
    after_s: float = 0.0


def all_well(items: Items) -> Answer:
    return Answer(200, {"responseList": [{"statusCode": 200} for _ in items]})


class FakePeer:
    """`answers` are used one after the other, then each batch is well; `listed` is its list."""

    def __init__(self, host: str, port: int, listed: Any = EMPTY) -> None:
        self.url = f"http://{host}:{port}/eureka/"
        self.place = (host, port)
        self.answers: list[Callable[[Items], Answer]] = []
        self.lists: list[Answer] = [Answer(200, listed)]
        self.batches: list[tuple[float, Items]] = []
        self.headers: list[dict[str, str]] = []
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> FakePeer:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                items = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["replicationList"]
                assert self.path == "/eureka/peerreplication/batch/", self.path
                peer.batches.append((time.monotonic(), items))
                peer.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.say((peer.answers.pop(0) if peer.answers else all_well)(items))

            def do_GET(self) -> None:
                assert self.path == "/eureka/apps/", self.path
                self.say(peer.lists.pop(0) if len(peer.lists) > 1 else peer.lists[0])

            def say(self, answer: Answer) -> None:
                time.sleep(answer.after_s)
                body = b"" if answer.body is None else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """Who has asked did not wait for the answer."""

        self._server = Server(self.place, Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def said(self, app: str = "ORDERS") -> list[tuple[str, str]]:
        """(action, id) of all that was said of that application, in order."""
        items = [item for _, items in self.batches for item in items]
        return [(item["action"], item["id"]) for item in items if item["appName"] == app]
