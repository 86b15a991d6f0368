"""A user's service: a plain HTTP server registered by an unmodified py-eureka-client. Leaves when its input ends.

Arguments: the registry's URL, the address and port to serve on, the app's name, the lease in seconds, and optionally
route metadata as JSON.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from py_eureka_client import eureka_client


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "forwarded_for": self.headers.get("X-Forwarded-For")}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    registry, host, port, app, lease_s, *metadata = sys.argv[1:]
    server = ThreadingHTTPServer((host, int(port)), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    eureka_client.init(
        eureka_server=registry,
        app_name=app,
        instance_host=host,
        instance_ip=host,
        instance_port=int(port),
        renewal_interval_in_secs=1,
        duration_in_secs=int(lease_s),
        metadata=json.loads(metadata[0]) if metadata else {},
    )
    print("registered", flush=True)
    sys.stdin.read()
    eureka_client.stop()
    print("left", flush=True)


main()
