"""What is asked, as scripts for wrk: reads and writes of the same keys, one after the other."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from bench.gateway.heads import LUA_DONE

KEYS = 1000
VALUE = "v" * 512
CONNECTIONS = 16
BASE = "/cachingservice/api/v1"
OWNER = "bench"

READ = """\
local n = 0
function request()
  n = n + 1
  return "GET %(base)s/cache/key" .. n %% %(keys)d .. " HTTP/1.1\\r\\nHost: bench\\r\\n" ..
    "X-CS-Service-ID: %(owner)s\\r\\n\\r\\n"
end
"""

WRITE = """\
local n, value = 0, string.rep("v", 512)
function request()
  n = n + 1
  local body = '{"key":"key' .. n %% %(keys)d .. '","value":"' .. value .. '"}'
  return "PUT %(base)s/cache HTTP/1.1\\r\\nHost: bench\\r\\nX-CS-Service-ID: %(owner)s\\r\\n" ..
    "Content-Length: " .. #body .. "\\r\\n\\r\\n" .. body
end
"""

OF_ETCD = """\
local bodies, n = {%(bodies)s}, 0
function request()
  n = n + 1
  local body = bodies[n %% #bodies + 1]
  return "POST %(path)s HTTP/1.1\\r\\nHost: etcd\\r\\nContent-Type: application/json\\r\\nContent-Length: " .. #body ..
    "\\r\\n\\r\\n" .. body
end
"""


def scripts(folder: Path) -> dict[str, Path]:
    """GET and PUT."""
    place = {"base": BASE, "keys": KEYS, "owner": OWNER}
    return {"GET": _file(folder / "get.lua", READ % place), "PUT": _file(folder / "put.lua", WRITE % place)}


def scripts_of_etcd(folder: Path) -> dict[str, Path]:
    def body(number: int, **more: str) -> str:
        return json.dumps(json.dumps({"key": _text(f"bench/key{number}"), **more}))

    reads = ",".join(body(number) for number in range(KEYS))
    writes = ",".join(body(number, value=_text(VALUE)) for number in range(KEYS))
    return {
        "GET": _file(folder / "etcd-get.lua", OF_ETCD % {"bodies": reads, "path": "/v3/kv/range"}),
        "PUT": _file(folder / "etcd-put.lua", OF_ETCD % {"bodies": writes, "path": "/v3/kv/put"}),
    }


def _file(path: Path, lua: str) -> Path:
    path.write_text(lua + LUA_DONE)
    return path


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
