"""A user's aiohttp service, as `web.run_app` runs it."""

from __future__ import annotations

import os

from aiohttp import web

import plexmesh

app = web.Application()
app.cleanup_ctx.append(plexmesh.Service("orders", routes={"api/v1": "/"}, drain_s=0.5).cleanup_ctx)
web.run_app(app, host=os.environ["HOST"], port=int(os.environ["PORT"]))
