"""A component for the launcher's tests: answers /application/{live,ready} and /v1/summary, ends on SIGTERM.

Behaviour is chosen by the environment: STAND_IN_STUBBORN ignores SIGTERM, STAND_IN_UNREADY is never ready.
"""

import argparse
import http.server
import json
import os
import signal
import sys


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, body = 200, {"ready": True, "why": []}
        if "STAND_IN_UNREADY" in os.environ and self.path.endswith("/ready"):
            status, body = 503, {"ready": False, "why": ["told to be unready"]}
        if self.path == "/v1/summary":
            body = {"node": os.environ["PLEXMESH_LPAR"], "instances": 7}
        if self.path == "/environ":
            body = dict(os.environ)
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    args = parser.parse_args()
    stubborn = "STAND_IN_STUBBORN" in os.environ
    signal.signal(signal.SIGTERM, signal.SIG_IGN if stubborn else lambda *_: sys.exit(0))
    server = http.server.ThreadingHTTPServer((args.host, args.port), Answers)
    server.daemon_threads = True
    print(f"stand-in listens on {args.host}:{args.port}", flush=True)
    server.serve_forever()


main()
