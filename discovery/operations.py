"""Every operation of a node, for the OpenAPI document of all of them: /v1's own table (`discovery.v1.operations`), and
what has none: Eureka's operations, static definitions, the dashboard, and what peers say to each other."""

from __future__ import annotations

from discovery.peers import PATH
from discovery.v1 import openapi
from discovery.v1.operations import OPERATIONS
from shared.operation import ANY, PAGE, TEXT, Document, Operation, document

PREFIXES = ("/eureka", "/v2")
EITHER = (200, 404)
INSTANCE = "apps/{app}/{instance}"

EUREKA = tuple(
    Operation(method, f"{prefix}/{path}", summary, dict.fromkeys(answers, ANY), body, query)
    for prefix in PREFIXES
    for method, path, summary, answers, body, query in (
        ("GET", "apps", "All instances", (200,), None, ()),
        ("GET", "apps/delta", "What has changed lately", (200,), None, ()),
        ("GET", "apps/{app}", "The instances of a service", EITHER, None, ()),
        ("POST", "apps/{app}", "Register an instance", (204,), ANY, ()),
        ("GET", INSTANCE, "One instance", EITHER, None, ("status", "lastDirtyTimestamp")),
        ("PUT", INSTANCE, "Renew a lease", EITHER, None, ("status", "lastDirtyTimestamp")),
        ("DELETE", INSTANCE, "Deregister an instance", EITHER, None, ()),
        ("PUT", f"{INSTANCE}/status", "Override a status", EITHER, None, ("value", "lastDirtyTimestamp")),
        ("DELETE", f"{INSTANCE}/status", "Clear an override", EITHER, None, ("value",)),
        ("PUT", f"{INSTANCE}/metadata", "Add metadata", EITHER, None, ()),
        ("GET", "instances/{instance}", "One instance, of whichever service", EITHER, None, ()),
        ("GET", "vips/{vip}", "Instances by their virtual name", EITHER, None, ()),
        ("GET", "svips/{vip}", "Instances by their secure virtual name", EITHER, None, ()),
        ("POST", "peerreplication/batch", "What another Eureka server was told", (200,), ANY, ()),
        ("GET", "status", "About this server", (200,), None, ()),
        ("GET", "serverinfo/statusoverrides", "All overrides", (200,), None, ()),
        ("PUT", "asg/{name}/status", "Amazon's alone: there are none", (400,), None, ()),
    )
)

STATIC = (
    Operation("GET", "/discovery/api/v1/staticApi", "The static instances"),
    Operation("POST", "/discovery/api/v1/staticApi", "Read their definitions again"),
)

DASHBOARD = (
    Operation("GET", "/", "The dashboard", {200: PAGE}),
    Operation("GET", "/lastn", "Its last events", {302: None}),
    Operation("GET", "/dashboard/state", "What it shows", query=("q", "last")),
    Operation("GET", "/dashboard/static/{name}", "Its files", {200: ANY}),
)

PEERS = (Operation("POST", f"{PATH}{{kind}}", "What nodes say to each other, signed", {200: ANY, 403: TEXT}, ANY),)


def documents() -> list[Document]:
    return [openapi.document(OPERATIONS, ""), document("plexmesh discovery", (*EUREKA, *STATIC, *DASHBOARD))]


def beside() -> list[Document]:
    return [document("plexmesh discovery's peers", PEERS)]
