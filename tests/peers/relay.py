"""A wire between two servers that keeps what passes: every request goes on to the target, and the answer comes back."""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "host", "date"))


class Exchange(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer: bytes

    @property
    def items(self) -> list[dict[str, Any]]:
        """What a batch holds; nothing, if it is none."""
        if not self.path.rstrip("/").endswith("peerreplication/batch"):
            return []
        found: list[dict[str, Any]] = json.loads(self.body)["replicationList"]
        return found


class Relay:
    """`url` is where the target is reached through it; while it is `cut`, each connection is closed unanswered."""

    def __init__(self, host: str, port: int, target: tuple[str, int], path: str = "/eureka/") -> None:
        self.url = f"http://{host}:{port}{path}"
        self.exchanges: list[Exchange] = []
        self.cut = False
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.body()
                if relay.cut:
                    self.close_connection = True
                    return
                fields = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
                connection = http.client.HTTPConnection(*target, timeout=10)
                try:
                    connection.request(self.command, self.path, body, fields)
                    found = connection.getresponse()
                    said = found.read()
                except (OSError, http.client.HTTPException):
                    self.close_connection = True
                    return
                finally:
                    connection.close()
                relay.exchanges.append(
                    Exchange(self.command, self.path, dict(self.headers.items()), body, found.status, said)
                )
                self.send_response(found.status)
                for name, value in found.getheaders():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 (http.server calls them so)

            def log_message(self, *_: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """Who has asked has gone, as killed servers do."""

        self._server = Server((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def items(self) -> list[dict[str, Any]]:
        """What all batches so far held."""
        return [item for exchange in self.exchanges for item in exchange.items]
