"""orders: a small service of your own. It knows nothing of the mesh: plexmesh.yaml or `plexmesh register` does."""

import argparse
import os

from aiohttp import web

options = argparse.ArgumentParser()
options.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
options.add_argument("--port", default=os.environ.get("PORT", "9000"), type=int)
given = options.parse_args()


async def hello(request: web.Request) -> web.Response:
    lpar = os.environ.get("PLEXMESH_LPAR")
    return web.json_response({"service": "orders", "lpar": lpar, "at": f"{given.host}:{given.port}"})


app = web.Application()
app.router.add_get("/hello", hello)
web.run_app(app, host=given.host, port=given.port)
