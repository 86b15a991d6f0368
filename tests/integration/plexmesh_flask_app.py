"""A user's Flask service, for gunicorn: registered from a thread of each worker process."""

from __future__ import annotations

import os

from flask import Flask, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

import plexmesh

service = plexmesh.Service("orders", routes={"api/v1": "/"}, metadata={"pid": str(os.getpid())}, drain_s=0.5)
app = Flask(__name__)
app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1, x_prefix=1)  # type: ignore[method-assign]


@app.get("/hello")
def hello() -> dict[str, str]:
    return {"pid": str(os.getpid()), "self": url_for("hello"), "whole": url_for("hello", _external=True)}


service.in_thread().start()
