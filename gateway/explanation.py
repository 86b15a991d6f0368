"""The shape of an explanation: a struct per step of a call's way, and what others say that goes into it.

Each step says in a sentence what was found, and in `details` a sentence for each thing that was looked at besides; the
other fields are the same for machines. A step that a call does not reach is null.

Not here: how it is found (`explain`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.near_misses import Miss


class Place(msgspec.Struct, frozen=True):
    """The gateway that explains."""

    lpar: str
    host: str
    port: int
    vipa: str = ""
    encoded_slashes: bool = True
    """It takes them in paths."""
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


# --- what others say of a service; `trouble` is why one gave no answer


class NodeWord(msgspec.Struct, frozen=True):
    """A discovery node: status by instance id. `stale`: what it has is from its disk."""

    url: str
    trouble: str = ""
    instances: dict[str, str] = {}
    stale: bool = False


class View(msgspec.Struct, frozen=True):
    """What another gateway sees of an instance."""

    status: str = ""
    view: str = ""
    why: str = ""


class GatewayWord(msgspec.Struct, frozen=True):
    """Another gateway: views by instance id; None: it does not know the service."""

    url: str
    lpar: str
    trouble: str = ""
    views: dict[str, View] | None = None


class Heard(msgspec.Struct, frozen=True):
    nodes: Sequence[NodeWord] = ()
    gateways: Sequence[GatewayWord] = ()


NOTHING = Heard()


# --- the steps


class Step(msgspec.Struct, rename="camel", kw_only=True):
    says: str
    details: list[str] = []


class PathStep(Step, kw_only=True):
    target: str
    """As it stands in the request line."""
    path: str = ""
    """In its one spelling; empty when the call is refused."""
    query: str = ""
    service: str = ""
    """The id in the path; empty when that is one of the gateway's own."""
    own: bool = False


class NodeFinding(msgspec.Struct, rename="camel", kw_only=True):
    """`unheard`: ids that it lists and this gateway does not know; `missing`: the reverse."""

    says: str
    url: str
    lpar: str
    reachable: bool
    statuses: dict[str, int] = {}
    """How many instances there are of each."""
    unheard: list[str] = []
    missing: list[str] = []


class GatewayFinding(msgspec.Struct, rename="camel", kw_only=True):
    says: str
    url: str
    lpar: str
    reachable: bool
    known: bool = False
    """It can route to the service."""


class ServiceStep(Step, kw_only=True):
    known: bool
    """This gateway can route to it."""
    statuses: dict[str, int]
    nearest: list[str] = []
    nodes: list[NodeFinding] = []
    gateways: list[GatewayFinding] = []


class InstancesStep(Step, kw_only=True):
    known: int
    usable: int
    instances: list[dict[str, Any]]
    """As in /gateway/v1/upstreams, with `says` and what each other gateway sees, `elsewhere`."""


class RouteStep(Step, kw_only=True):
    gateway_url: str | None = None
    """Of the rule that applies."""
    service_url: str | None = None
    others: list[Miss] = []
    turned: str = ""
    """The path in today's order, when it is in the old one."""


class RequestStep(Step, kw_only=True):
    target: str
    urls: list[str]


class AnswerStep(Step, kw_only=True):
    status: int | None = None
    """None: as the instance answers, or the gateway's own page."""
    number: str = ""
    instances: list[str] = []
    """The call is forwarded to one of them."""


class Explanation(msgspec.Struct, kw_only=True):
    gateway: dict[str, str]
    method: str
    url: str
    path: PathStep
    service: ServiceStep | None = None
    instances: InstancesStep | None = None
    route: RouteStep | None = None
    request: RequestStep | None = None
    answer: AnswerStep
