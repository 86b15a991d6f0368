"""Who gets what at which endpoint, with TLS: the table, and how each endpoint is asked.

A number is the status of the answer. 401 and 403: not let in. Everything else was let in, 4xx too: what is asked would
break something if it were meant, and so it is asked in a way that is refused for its content by whoever was to carry it
out:

    of a launcher and `up`    text/plain instead of JSON: 415; a run of a drill that there is not: 404
    of a gateway              a body that is no order: 400; to reload, which it does; to log out, with another token
    of a registry             an instance that there is not: 404; a body that cannot be read: 400
    of a cache                keys and lists of an owner who has none

The cache, through a gateway: to who has no certificate it is 404, as a service that does not exist.

Callers: see `callers`. "wrong name" has the rights of a service, and of "foreign" and "expired" the handshake is
refused, so neither has a column.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

COLUMNS = ("none", "service", "operator", "peer", "user", "chief")

TABLE = """
process   endpoint                                                              none  serv  oper  peer  user  chief
all       GET      /application/(live|ready|info|metrics|events)                200   200   200   200   200   200
rest      GET      /application/health                                          401   200   200   200   401   401
all       GET      /application/openapi.json                                    200   200   200   200   200   200

up        GET      /v1/(status|sysplex|drills)                                  200   200   200   200   200   200
up        GET      /v1/drills/{run}(/progress|/report)?                         404   404   404   404   404   404
up        POST     /v1/(down|reload|restart|drills)                             403   403   415   415   403   403
up        POST     /v1/lpars/{lpar}/(activate|quiesce|{action})                 403   403   415   415   403   403
up        POST     /v1/lpars/{lpar}/components/{name}/(fence|{action})          403   403   415   415   403   403
up        DELETE   /v1/drills/{run}                                             403   403   404   404   403   403

launcher  GET      /v1/lpar                                                     200   200   200   200   200   200
launcher  POST     /v1/(command|reload|components/{name}/{action})              403   403   415   415   403   403

discovery GET      /(dashboard/state)?                                          200   200   200   200   200   200
discovery GET      /lastn                                                       302   302   302   302   302   302
discovery GET      /dashboard/static/{name}                                     404   404   404   404   404   404
discovery GET      /v1/openapi.json                                             200   200   200   200   200   200
discovery GET      /v1/(guards|peers|summary|watch|prometheus/targets)          403   200   200   200   403   403
discovery GET      /v1/(instances|services|services/{service})                  403   200   200   200   403   403
discovery GET      /v1/(instances|leases)/{service}/{instance}                  403   404   404   404   403   403
discovery DELETE   /v1/instances/{service}/{instance}                           403   404   404   404   403   403
discovery POST     /v1/(instances|heartbeats)                                   403   400   400   400   403   403
discovery GET      /(eureka|v2)/(apps|apps/delta|status|s?vips/{vip})           403   200   200   200   403   403
discovery GET      /(eureka|v2)/serverinfo/statusoverrides                      403   200   200   200   403   403
discovery GET      /(eureka|v2)/(apps/{app}(/{instance})?|instances/{instance}) 403   404   404   404   403   403
discovery POST     /(eureka|v2)/apps/{app}                                      403   415   415   415   403   403
discovery PUT      /(eureka|v2)/apps/{app}/{instance}(/metadata)?               403   404   404   404   403   403
discovery PUT      /(eureka|v2)/(apps/{app}/{instance}|asg/{name})/status       403   400   400   400   403   403
discovery DELETE   /(eureka|v2)/apps/{app}/{instance}(/status)?                 403   404   404   404   403   403
discovery POST     /(eureka|v2)/peerreplication/batch                           403   403   403   400   403   403
discovery POST     /peer/v1/{kind}                                              403   403   403   403   403   403
discovery GET      /discovery/api/v1/staticApi                                  403   200   200   200   403   403
discovery POST     /discovery/api/v1/staticApi                                  403   200   200   200   403   403

gateway   GET      /application/health                                          401   200   200   200   200   200
gateway   GET      /(console(/{rest})?)?                                        200   200   200   200   200   200
gateway   GET      /(static/{name}|console/swagger(/{version})?/{name})         404   404   404   404   404   404
gateway   GET      /console/v1/(told|stream|me)                                 200   200   200   200   200   200
gateway   GET      /console/v1/apidoc/{service}/{n}                             404   404   404   404   404   404
gateway   GET      /console/v1/instances/{service}/{instance}/lease             404   404   404   404   404   404
gateway   POST     /console/v1/instances/{service}/{instance}/status            403   403   400   400   403   400
gateway   GET      /console/v1/lab/drills/{run}/report                          404   404   404   404   404   404
gateway   POST     /console/v1/lab/drills                                       403   403   400   400   403   400
gateway   DELETE   /console/v1/lab/drills/{run}                                 403   403   404   404   403   404
gateway   POST     /console/v1/lab/lpars/{lpar}/(components/{name}/)?{action}   403   403   404   404   403   404
gateway   GET      /gateway/v1/(sysplex|upstreams|workers|vipa|explain)         200   200   200   200   200   200
gateway   PUT      /gateway/v1/vipa                                             403   403   400   400   403   400
gateway   PUT      /gateway/v1/reload                                           403   403   200   200   403   200
gateway   GET      /application/version                                         200   200   200   200   200   200
gateway   GET      /gateway(/api/v1)?/(version|certificates)                    200   200   200   200   200   200
gateway   GET      /gateway(/api/v1)?/services                                  401   200   200   200   200   200
gateway   GET      /gateway(/api/v1)?/services/{id}                             401   404   404   404   404   404
gateway   GET      /gateway(/api/v1)?/conformance/{id}                          401   400   400   400   400   400
gateway   POST     /gateway(/api/v1)?/validate                                  401   400   400   400   400   400
gateway   GET      /gateway/api/v1/auth/keys/public(/all|/current)?             200   200   200   200   200   200
gateway   POST     /gateway/api/v1/auth/login                                   400   400   400   400   400   400
gateway   GET      /gateway/api/v1/auth/query                                   401   401   401   401   200   200
gateway   POST     /gateway/api/v1/auth/logout                                  401   401   401   401   204   204

caching   GET      /cachingservice/api/v1/openapi.json                          200   200   200   200   200   200
caching   GET      /cachingservice/api/v1/(cache|cache-list(/{map})?)           403   200   200   200   403   403
caching   GET      /cachingservice/api/v1/cache/{key}                           403   404   404   404   403   403
caching   PUT      /cachingservice/api/v1/cache/{key}                           403   412   412   412   403   403
caching   DELETE   /cachingservice/api/v1/cache/{key}                           403   412   412   412   403   403
caching   POST|PUT /cachingservice/api/v1/(cache|cache-list/{map})              403   400   400   400   403   403
caching   DELETE   /cachingservice/api/v1/cache                                 403   200   200   200   403   403
caching   DELETE   /cachingservice/api/v1/cache-list/evict/{rule}/{map}         403   204   204   204   403   403

sample    .*       /api/v1/(hello|echo|slow|stream|openapi.json)                200   200   200   200   200   200
sample    GET      /api/v1/status/{code}                                        204   204   204   204   204   204
sample    GET      /ui/v1/?                                                     200   200   200   200   200   200
sample    GET      /ws/v1/echo                                                  400   400   400   400   400   400
sample    PUT      /drill/delay                                                 403   403   400   400   403   403
"""


class Row(NamedTuple):
    process: str
    """Or "all" of them; "rest": all but gateways."""
    endpoint: str
    """A regular expression of a method and a path, as the document has it."""
    statuses: dict[str, frozenset[int]]
    """By column."""

    def fits(self, process: str, method: str, path: str) -> bool:
        here = self.process in (process, "all") or (self.process == "rest" and process != "gateway")
        return here and re.fullmatch(self.endpoint, f"{method} {path}") is not None


@functools.cache
def rows(table: str = TABLE) -> list[Row]:
    found = []
    for line in table.strip().splitlines()[1:]:
        if not line.strip():
            continue
        process, method, path, *statuses = line.split()
        assert len(statuses) == len(COLUMNS), line
        by_column = {who: frozenset(map(int, each.split("|"))) for who, each in zip(COLUMNS, statuses, strict=True)}
        found.append(Row(process, f"(?:{method}) (?:{path})", by_column))
    return found


PLACES = {"n": "0", "code": "204", "rule": "tokens", "kind": "ping", "rest": "services"}
QUERIES = {"/gateway/v1/explain": "?url=/sample/api/v1/hello", "/api/v1/slow": "?s=0"}


class Asked(NamedTuple):
    path: str
    body: bytes | None
    headers: dict[str, str]


def asked(method: str, path: str, here: str) -> Asked:
    """`here`: the server, as a page of it would say in Origin."""
    filled = re.sub(r"\{(\w+)\}", lambda match: PLACES.get(match[1], "nobody"), path) + QUERIES.get(path, "")
    headers = {"X-CS-Service-ID": "nobody", "Content-Type": "text/plain", "If-Match": '"none"'}
    if path.startswith("/console/v1/"):
        headers |= {"Origin": here, "Content-Type": "application/json"}
    return Asked(filled, None if method in ("GET", "DELETE") else b"[]", headers)
