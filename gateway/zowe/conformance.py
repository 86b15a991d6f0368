"""The answer to "does this service keep Zowe's rules?": one message object, and the status it has.

    200              {"message": …}
    400 ZWEAG717E    that is no service id
        ZWEAG718E    nothing is registered as this, or it says nothing of itself
        ZWEAG719I    what is wrong, fault by fault (`faults`)

All instances are looked at, whatever their status: a fault that not all of them have names one that has it.

Source: Zowe API Mediation Layer, the gateway's conformance check; the texts are our own.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import NamedTuple

from gateway.snapshot import Snapshot
from gateway.zowe.faults import faults
from gateway.zowe.services import by_id
from shared import zowe
from shared.wire import Instance
from shared.zowe import Message

ID = re.compile(r"[a-z0-9]{1,64}")
SHOWN = 64
"""Characters of what is no id that are repeated to whoever sent it."""

KEY = "org.zowe.apiml.gateway.verifier."

BAD_ID = Message(
    "ZWEAG717E",
    KEY + "wrongServiceId",
    "This cannot be the id of a service.",
    "Give the id as it is registered: lower-case letters and digits, at most 64.",
)
NO_METADATA = Message(
    "ZWEAG718E",
    KEY + "noMetadata",
    "There is no registration to check.",
    "Start the service, and check that it registers by this id and with metadata.",
)
FAULTS = Message(
    "ZWEAG719I",
    KEY + "nonConformant",
    "The service's registration does not keep all the rules.",
    "Correct the metadata that is named, and register the service again.",
    "INFO",
)


class Verdict(NamedTuple):
    status: int
    body: dict[str, str]


def verdict(snapshot: Snapshot, service: str) -> Verdict:
    if not ID.fullmatch(service):
        return _refused(BAD_ID, f"{service[:SHOWN]}: expected 1 to 64 lower-case letters and digits")
    instances = by_id(snapshot).get(service, [])
    if not any(each.metadata for each in instances):
        why = "its instances have no metadata" if instances else "no service of this id is registered"
        return _refused(NO_METADATA, f"{service}: {why}")
    found = _faults(service, instances)
    if found:
        return _refused(FAULTS, f"{service}: " + "; ".join(found))
    return Verdict(200, {"message": f"{service} keeps all the rules that are checked"})


def asked(body: bytes) -> str:
    """The id in the body of the older call, `serviceID=<id>`; the id alone will do."""
    return body.decode("utf-8", "replace").strip().removeprefix("serviceID=")


def _faults(service: str, instances: Sequence[Instance]) -> list[str]:
    having: dict[str, list[str]] = {}
    for each in instances:
        for fault in faults(service, each.metadata):
            having.setdefault(fault, []).append(each.instance)
    return [f if len(who) == len(instances) else f"{f}, at {_first(who)}" for f, who in having.items()]


def _first(who: Sequence[str]) -> str:
    return who[0] if len(who) == 1 else f"{who[0]} and {len(who) - 1} more"


def _refused(message: Message, content: str) -> Verdict:
    """Consoles of others show the content as it is, so it is escaped for HTML like that of every error."""
    return Verdict(400, zowe.view(message, html.escape(content)))
