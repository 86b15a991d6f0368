"""Every operation of a gateway's own, for its OpenAPI document: its model, Zowe's endpoints, logins, the
console."""

from __future__ import annotations

from typing import Any

from gateway.explanation import Explanation
from gateway.zowe.api import HOMES
from shared.operation import ANY, EVENTS, PAGE, TEXT, Document, Operation, document

MODEL = (
    Operation("GET", "/gateway/v1/sysplex", "LPARs, services and instances as this gateway sees them"),
    Operation("GET", "/gateway/v1/upstreams", "Services, routes, instances: status, in flight, why skipped"),
    Operation(
        "GET",
        "/gateway/v1/explain",
        "Why such a call is answered as it is, step by step",
        {200: Explanation},
        query=("url", "method"),
    ),
    Operation("GET", "/gateway/v1/workers", "Processes that serve, come and go"),
    Operation("GET", "/gateway/v1/vipa", "Whether it is on the sysplex address"),
    Operation("PUT", "/gateway/v1/vipa", "Leave or rejoin the sysplex address", body=dict),
    Operation("PUT", "/gateway/v1/reload", "New workers with the configuration as it is now", body=dict),
)

ZOWE = (
    Operation("GET", "/application/version", "Its version, in Zowe's words"),
    Operation("GET", "/gateway/api/v1/registry", "The registry of all domains, where it is on"),
    Operation("GET", "/gateway/api/v1/registry/{domain}", "The registry of one domain, where it is on"),
    *(
        Operation(method, f"{home}/{path}", summary, answers, query=query)
        for home in HOMES
        for method, path, summary, answers, query in (
            ("GET", "services", "The services, in Zowe's words", {200: list, 404: None}, ("apiId",)),
            ("GET", "services/{id}", "One service", dict.fromkeys((200, 404), dict), ()),
            (
                "GET",
                "conformance/{id}",
                "Whether a service conforms to Zowe's rules",
                dict.fromkeys((200, 400), dict),
                (),
            ),
            ("POST", "validate", "The same, older: the body is serviceID=<id>", dict.fromkeys((200, 400), dict), ()),
            ("GET", "version", "Its version, in Zowe's words", {200: dict}, ()),
            ("GET", "certificates", "The chain of its certificate, PEM", {200: TEXT}, ()),
        )
    ),
)

AUTH = "/gateway/api/v1/auth"

LOGIN = (
    Operation("POST", f"{AUTH}/login", "A token for a name and a password, or a certificate", {204: None}, body=Any),
    Operation("GET", f"{AUTH}/query", "Whose token it is, and until when"),
    Operation("POST", f"{AUTH}/logout", "The token is good no more, at any gateway", {204: None}),
    Operation("POST", f"{AUTH}/refresh", "Another token for this one, where it is on", {204: None}),
    Operation("GET", f"{AUTH}/keys/public/all", "The keys that tokens are believed by, as a JWK set"),
    Operation("GET", f"{AUTH}/keys/public/current", "The key that signs, as a JWK set"),
    Operation("GET", f"{AUTH}/keys/public", "The key that signs, PEM", {200: TEXT}),
)

LAB = "/console/v1/lab"

CONSOLE = (
    Operation("GET", "/", "The console", {200: PAGE}),
    Operation("GET", "/console", "The console", {200: PAGE}),
    Operation("GET", "/console/{rest}", "Its pages", {200: PAGE}),
    Operation("GET", "/static/{name}", "Its files", {200: ANY}),
    Operation("GET", "/console/swagger/{name}", "Swagger UI", {200: ANY}),
    Operation("GET", "/console/swagger/{version}/{name}", "Swagger UI, of one version", {200: ANY}),
    Operation("GET", "/console/v1/told", "What this gateway tells others' consoles"),
    Operation("GET", "/console/v1/stream", "What the console shows, as it happens", {200: EVENTS}),
    Operation("GET", "/console/v1/me", "Who is at it, and whether he may give orders"),
    Operation("GET", "/console/v1/apidoc/{service}/{n}", "A service's OpenAPI document, through this gateway"),
    Operation("GET", "/console/v1/instances/{service}/{instance}/lease", "How long ago its lease was renewed"),
    Operation("POST", "/console/v1/instances/{service}/{instance}/status", "Out of service, and back", body=dict),
    Operation("POST", f"{LAB}/lpars/{{lpar}}/{{action}}", "Break an LPAR, and mend it", body=dict),
    Operation("POST", f"{LAB}/lpars/{{lpar}}/components/{{name}}/{{action}}", "The same for a component", body=dict),
    Operation("POST", f"{LAB}/drills", "Run a drill", {202: dict}, body=dict),
    Operation("DELETE", f"{LAB}/drills/{{run}}", "Stop a drill", {202: dict}),
    Operation("GET", f"{LAB}/drills/{{run}}/report", "The page of a drill that has ended", {200: PAGE}),
)


def documents() -> list[Document]:
    return [document("plexmesh gateway", (*MODEL, *ZOWE, *LOGIN, *CONSOLE))]
