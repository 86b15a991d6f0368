"""A user's Flask service, for gunicorn with threads; it has no websockets."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, redirect, request, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

import plexmesh

WAIT_S = 10.0

service = plexmesh.Service("flask", routes={"api/v1": "/"}, drain_s=0)
app = Flask(__name__)
app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1, x_prefix=1)  # type: ignore[method-assign]
released: defaultdict[str, threading.Event] = defaultdict(threading.Event)


@app.get("/hello/<name>")
def hello(name: str) -> dict[str, Any]:
    return {
        "service": "flask",
        "name": name,
        "query": request.args,
        "prefix": request.headers.get("X-Forwarded-Prefix"),
        "host": request.headers.get("X-Forwarded-Host"),
    }


@app.post("/echo")
def echo() -> Response:
    return Response(request.get_data(), headers={"Content-Type": request.headers["Content-Type"]})


@app.get("/moved")
def moved() -> Any:
    return redirect(request.args["to"])


@app.get("/moved/whole")
def moved_whole() -> Any:
    return redirect(url_for("hello", name="whole", _external=True))


@app.get("/cookie")
def cookie() -> Response:
    response = Response()
    response.set_cookie("seat", "12a", path=request.args["path"])
    return response


@app.get("/account/seat")
def account() -> dict[str, str]:
    return dict(request.cookies)


@app.get("/stream/<id>")
def stream(id: str) -> Response:
    def pieces() -> Iterator[str]:
        yield "data: first\n\n"
        if released[id].wait(WAIT_S):
            yield "data: last\n\n"

    return Response(pieces(), mimetype="text/event-stream")


@app.post("/release/<id>")
def release(id: str) -> dict[str, str]:
    released[id].set()
    return {}


service.in_thread().start()
