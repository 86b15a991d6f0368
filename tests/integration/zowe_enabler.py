"""A service as Zowe's users write it: the published Python enabler, its configuration in config/, TLS with a client's
certificate, nothing of plexmesh's. It leaves the registry when its standard input ends.

The enabler says nothing of a lease and its library asks for one of 90 s, renewed every 30 s; arguments shorten that.
"""

from __future__ import annotations

import functools
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from py_eureka_client import eureka_client
from zowe_apiml_onboarding_enabler_python.registration import PythonEnabler

host, port, nodes, renewal_s, lease_s = sys.argv[1:]


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"from": "python", "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


enabler = PythonEnabler(discovery_service=nodes)
eureka_client.init = functools.partial(
    eureka_client.init, renewal_interval_in_secs=int(renewal_s), duration_in_secs=int(lease_s)
)
server = ThreadingHTTPServer((host, int(port)), Answer)
own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
own.load_cert_chain(enabler.ssl_config["certificate"], enabler.ssl_config["keystore"])
server.socket = own.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=server.serve_forever, daemon=True).start()

enabler.register()
sys.stdin.read()
enabler.unregister()
