"""A blocking program that ends as its argument says: by itself (`ends`), or by a signal (`waits`)."""

from __future__ import annotations

import http.server
import os
import sys
import threading

import plexmesh

service = plexmesh.Service("orders", metadata={"pid": str(os.getpid())}, drain_s=0.5)
server = http.server.ThreadingHTTPServer(
    (os.environ["HOST"], int(os.environ["PORT"])), http.server.BaseHTTPRequestHandler
)

if sys.argv[1] == "waits":
    with service.in_thread():
        server.serve_forever()
else:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    service.in_thread().start()
    input()
