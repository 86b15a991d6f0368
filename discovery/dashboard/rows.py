"""One instance as a row of the page.

Its own status and an operator's override are told apart, and a link is made only of what is a URL of http or https:
anybody may register `javascript:` ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from discovery.messages import node_of
from discovery.node import Node
from discovery.record import Status
from discovery.registration import Registration, unpack
from discovery.view import Held
from shared.wire import LPAR_KEY, OwnerState

STATIC = "STATIC-"
"""How the ids of instances begin that come from a file (`discovery.zowe.instance`)."""

_LINK = re.compile(r"https?://[!-~]+", re.IGNORECASE)


class Address(msgspec.Struct, frozen=True, omit_defaults=True):
    text: str
    secure: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`status` is what holds: `said`, the instance's own word, or an operator's `override` over it. `left_s`: until the
    lease runs out, at its owner only. `lpar` is left out for one outside the sysplex."""

    service: str
    instance: str
    status: Status
    said: Status
    override: Status | None = None
    lpar: str = ""
    static: bool = False
    addresses: list[Address]
    lease_s: int
    left_s: float | None = None
    owner: str
    owner_state: OwnerState = "alive"
    links: dict[str, str] = {}


def row(held: Held, node: Node, owners: Mapping[str, OwnerState], now: float) -> Row:
    origin, record = held
    given = unpack(record.body)
    left_s = node.lease_left(record.key, now) if origin == node.origin else None
    return Row(
        service=given.service,
        instance=given.instance,
        status=given.effective,
        said=given.status,
        override=None if given.override == "UNKNOWN" else given.override,
        lpar=given.metadata.get(LPAR_KEY, ""),
        static=given.instance.startswith(STATIC),
        addresses=_addresses(given),
        lease_s=given.lease_s,
        left_s=None if left_s is None else round(left_s, 1),
        owner=node_of(origin),
        owner_state=owners.get(origin, "alive"),
        links=_links(given),
    )


def _addresses(given: Registration) -> list[Address]:
    host = f"[{given.host}]" if ":" in given.host else given.host
    found = [Address(f"{host}:{given.port}")] if given.port_enabled else []
    if given.secure_port_enabled:
        found.append(Address(f"{host}:{given.secure_port}", secure=True))
    return found or [Address(given.host)]


def _links(given: Registration) -> dict[str, str]:
    """By what they are called on the page."""
    named = {
        "home": given.home_page_url,
        "status": given.status_page_url,
        "health": given.health_check_url or given.secure_health_check_url,
    }
    return {name: url for name, url in named.items() if _LINK.fullmatch(url)}
