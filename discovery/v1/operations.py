"""Every operation of /v1: its route, parameters, body and answers; routes and the OpenAPI document are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from discovery.limits import MAX_SERVICES, MAX_WAIT_S
from discovery.v1 import decode, shapes
from shared.errors import BadInput
from shared.wire import Instance

EVENTS = "text/event-stream"


@dataclass(frozen=True)
class Parameter:
    """In the query, or in the path if that names it."""

    name: str
    description: str
    schema: Mapping[str, Any]

    def check(self, text: str) -> None:
        """Raises BadInput."""
        low, high = self.schema.get("minimum", 0), self.schema.get("maximum", 0)
        if self.schema["type"] == "integer":
            decode.whole(self.name, text, low, high)
        elif self.schema["type"] == "number":
            decode.number(self.name, text, low, high)
        elif not self.schema.get("minLength", 0) <= len(text) <= self.schema.get("maxLength", len(text)):
            raise BadInput(f"{self.name}: {decode.shown(text)}, expected 1 to {self.schema['maxLength']} characters")


@dataclass(frozen=True)
class Operation:
    """`name` is the handler's, too. `answers` maps status to the shape of its JSON (a media type where it is none)."""

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, Any]
    parameters: tuple[Parameter, ...] = ()
    body: tuple[type, ...] = ()
    """Any of these."""
    endless: bool = False
    """Its answer may take as long as the caller likes: counted among the watchers, not among the requests."""
    quick: bool = False
    """Answered at once, from the body and who sent it: by a handler that takes just that, on either way in."""

    @property
    def query(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.parameters if f"{{{each.name}}}" not in self.path)


TEXT = {"type": "string"}
NAME = {"type": "string", "minLength": 1, "maxLength": 255}

SERVICE = Parameter("service", "a service's name, in lower or upper case", NAME)
INSTANCE = Parameter("instance", "an instance's id", NAME)
ONLY = Parameter("service", "only instances of this service", NAME)
GEN = Parameter(
    "gen",
    "not if the instance is of a newer process than this",
    {"type": "integer", "minimum": 1, "maximum": shapes.MAX_GEN},
)
SINCE = Parameter("since", "a token: a mark's id, or the token of an earlier answer, from whichever node", TEXT)
WAIT = Parameter(
    "wait",
    "seconds to wait for something to change",
    {"type": "number", "minimum": 0, "maximum": MAX_WAIT_S, "default": 0},
)
SERVICES = Parameter("services", f"only these services, at most {MAX_SERVICES}, separated by commas", TEXT)

OPERATIONS = (
    Operation(
        "POST",
        "/v1/instances",
        "register",
        "Register one instance, or many: all or none",
        {200: shapes.Registered},
        body=(shapes.NewInstance, shapes.NewInstances),
        quick=True,
    ),
    Operation("GET", "/v1/instances", "instances", "List instances", {200: shapes.Instances}, (ONLY,)),
    Operation(
        "GET",
        "/v1/instances/{service}/{instance}",
        "instance",
        "One instance",
        {200: Instance},
        (SERVICE, INSTANCE),
    ),
    Operation(
        "GET",
        "/v1/leases/{service}/{instance}",
        "lease",
        "How long ago its lease was renewed; its owner alone knows",
        {200: shapes.Lease},
        (SERVICE, INSTANCE),
    ),
    Operation(
        "DELETE",
        "/v1/instances/{service}/{instance}",
        "remove",
        "Deregister an instance: final for its process",
        {204: None},
        (SERVICE, INSTANCE, GEN),
    ),
    Operation(
        "POST",
        "/v1/heartbeats",
        "beat",
        "Renew leases; 202 when other nodes hold some of them",
        {200: shapes.Beaten, 202: shapes.Beaten},
        body=(shapes.Beats,),
        quick=True,
    ),
    Operation("GET", "/v1/services", "services", "Services and how many instances they have", {200: shapes.Services}),
    Operation(
        "GET",
        "/v1/services/{service}",
        "poll",
        "The instances of a service; with since and wait, once they have changed",
        {200: shapes.Poll},
        (SERVICE, SINCE, WAIT),
        endless=True,
    ),
    Operation(
        "GET",
        "/v1/watch",
        "watch",
        "What is visible, as it changes: events put, del, owner and mark; resumes by Last-Event-ID",
        {200: EVENTS},
        (SERVICES, SINCE),
        endless=True,
    ),
    Operation(
        "GET",
        "/v1/prometheus/targets",
        "targets",
        "Instances that are UP, for Prometheus' http_sd",
        {200: list[shapes.TargetGroup]},
        (ONLY,),
    ),
    Operation("GET", "/v1/peers", "peers", "The other nodes as this one sees them", {200: shapes.Peers}),
    Operation("GET", "/v1/guards", "guards", "Self-preservation: which guards are on, and why", {200: shapes.Guards}),
    Operation("GET", "/v1/summary", "summary", "This node in numbers", {200: shapes.Summary}),
    Operation("GET", "/v1/openapi.json", "openapi", "This document", {200: dict[str, Any]}),
)

REFUSALS: Mapping[int, str] = {
    400: "the field at fault, its value, what was expected",
    403: "with TLS: the caller's certificate does not allow it",
    404: "there is none of that name",
    409: "the service has as many instances as it may",
    410: "an older process speaks, or one that has left",
    413: "the body is too large",
    429: "too many registrations; Retry-After says when",
    503: "this node is joining its peers, or busy; Retry-After says when to try again, here or elsewhere",
}


def refusals(operation: Operation) -> list[int]:
    """The statuses an operation may refuse with."""
    found = [400, 403, 503]
    if operation.body:
        found.append(413)
    if operation.name == "register":
        found += [409, 410, 429]
    if operation.name in ("instance", "lease", "remove"):
        found.append(404)
    if operation.name == "remove":
        found.append(410)
    return sorted(found)
