"""The same requests to a real Eureka server and to a plexmesh node: what differs, and whether that is known.

    python -m tests.peers.compare       `make test-eureka` builds the real server; exit code 1: something new differs

Compared are the status, the media type, and the body as what it says: JSON or XML read, times left out. `KNOWN` are the
findings, measured against Spring Cloud's server (spring-cloud-netflix 4.3.0, eureka-core 2.0.4): the differences and
why each is meant.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.integration import discovery_rig
from tests.integration.discovery_rig import DiscoveryNode
from tests.integration.launcher_rig import poll
from tests.peers.questions import JSON, T0, XML, Request, requests
from tests.peers.real_server import RealServer, Reply, call, running

N = os.getpid() % 250 + 1
REAL, OURS = f"127.0.191.{N}", f"127.0.192.{N}"

TIMES = frozenset(
    (
        "registrationTimestamp",
        "lastRenewalTimestamp",
        "serviceUpTimestamp",
        "evictionTimestamp",
        "lastUpdatedTimestamp",
        "timestamp",
    )
)
"""What a server notes for itself."""


class Seen(NamedTuple):
    status: int
    media: str
    said: Any


KNOWN = {
    r": media: '' \| 'application/": "an empty answer is labelled: one client parses even nothing by its type",
    r": (media: 'application/\w+' \| ''|said: .*'status': '?404.* \| ''$)": "a 404 is empty, as Java's clients want it",
    r": (media: 'application/json' \| '(text/plain|application/xml)'|said: \{'status': (400|405|415|500))|"
    r": said.*'cannot parse request body'\}? \| ": "a refusal is a line of text that says what was expected",
    r": status: 500 \| 400$": "bad input is 400, never 500",
    r"versions__delta: '1' \| 'more'": "a delta's version is unique among all nodes, and none begins at 1",
    r"text/html': ": "who wants HTML gets XML, not 406",
    r"id with a slash: |list at the end: said.applications.application\[0\]|list at the end: .*hashcode": (
        "an id may hold a slash; Spring's container refuses it, and it can never deregister"
    ),
    r"plain port: ": "a port may be a plain number",
    r"overridden, XML: said.instance.status: 'DOWN' \| 'OUT_OF_SERVICE'": (
        "Netflix's XML shows OUT_OF_SERVICE as DOWN, unlike its JSON and its own hash"
    ),
    r"actionType: 'MODIFIED' \| 'ADDED'": "the last action stands in the delta only",
    r"^(overrides|GET nothing): ": "Spring's server does not serve serverinfo",
    r"what that left: ": "an override that a server's heartbeat brings shows at once, not with the next renewal",
    r"cleared without a status: |heartbeat after that: ": "without its override the instance's own word shows at once",
    r"own word OUT_OF_SERVICE, seen: ": "an instance may take itself out of service",
    r"instanceId: None \| 'h.test'": "an instance without an id is named by its host in lists, too",
    r"register, stamp that is none: ": "a stamp that is no number is refused, not taken for none",
    r"batch, .*: (said.responseList|status: 400 \| 200)": "one item that cannot be read does not disturb the others",
    r"batch, .*statusCode: (500|404) \| (400|200)": "an item that cannot be read is 400; a clearing needs no stamp",
}
"""A pattern of `request: difference` → why it is meant."""


def why(request: str, difference: str) -> str:
    """Empty: it is new."""
    return next((text for pattern, text in KNOWN.items() if re.search(pattern, f"{request}: {difference}")), "")


def seen(reply: Reply) -> Seen:
    media = reply.headers.get("content-type", "").partition(";")[0]
    packed = reply.headers.get("content-encoding") == "gzip"
    body = gzip.decompress(reply.body) if packed else reply.body
    said: Any = body.decode(errors="replace")
    if body and media == JSON:
        with contextlib.suppress(ValueError):
            said = _listed(_read_json(json.loads(body)), "applications")
    elif body and media == XML:
        root = ET.fromstring(body)
        said = _listed({root.tag: _read_xml(root)}, "applications")
    return Seen(reply.status, media + (" gzip" if packed else ""), said)


def _listed(said: Any, name: str) -> Any:
    """A list without our node's own instance, and of a delta's version only that there is one."""
    apps = said.get(name) if isinstance(said, dict) else None
    if not isinstance(apps, dict):
        return said
    version, hashcode = apps["versions__delta"], apps["apps__hashcode"]
    applications = apps.get("application", [])
    applications = applications if isinstance(applications, list) else [applications]
    others = [each for each in applications if each["name"] != "DISCOVERY"]
    if len(others) < len(applications):
        hashcode = re.sub(r"UP_(\d+)_$", lambda match: f"UP_{int(match[1]) - 1}_", hashcode).replace("UP_0_", "")
    return {
        name: apps
        | {
            "application": others,
            "versions__delta": version if version in ("1", "-1") else "more",
            "apps__hashcode": hashcode,
        }
    }


def _read_json(value: Any) -> Any:
    """Without times, and lists in one order."""
    if isinstance(value, dict):
        return {key: _timeless(key, _read_json(below)) for key, below in value.items() if key not in TIMES}
    return sorted(map(_read_json, value), key=str) if isinstance(value, list) else value


def _read_xml(element: ET.Element) -> Any:
    """The same; what is there more than once is a list."""
    text = (element.text or "").strip()
    if not len(element) and not element.attrib:
        return text
    found: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()} | (
        {"$": text} if text else {}
    )
    children: dict[str, list[Any]] = {}
    for child in element:
        if child.tag not in TIMES:
            children.setdefault(child.tag, []).append(_timeless(child.tag, _read_xml(child)))
    return found | {tag: sorted(each, key=str) if len(each) > 1 else each[0] for tag, each in children.items()}


def _timeless(name: str, value: Any) -> Any:
    """A stamp that no client has given is the time of arrival."""
    if name != "lastDirtyTimestamp" or abs(int(value) - T0) < 1000:
        return value
    return "arrival"


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """`where: theirs | ours`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            line
            for key in sorted(one.keys() | other.keys())
            for line in differences(one.get(key), other.get(key), f"{where}.{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            line
            for index, pair in enumerate(zip(one, other, strict=True))
            for line in differences(*pair, f"{where}[{index}]")
        ]
    return [] if one == other else [f"{where.lstrip('.')}: {one!r} | {other!r}"]


def compare(real: tuple[str, int], ours: tuple[str, int]) -> Iterator[tuple[Request, list[str]]]:
    for request in requests():
        replies = []
        for place in (real, ours):
            _, method, path, body, headers = request
            replies.append(seen(call(place, method, f"/eureka/{path}", body, headers)))
        yield request, differences(replies[0]._asdict(), replies[1]._asdict())


def report(real: tuple[str, int], ours: tuple[str, int]) -> list[str]:
    """Prints what is known, once each with how often; returns what is new."""
    known: dict[str, list[str]] = {}
    new = []
    asked = 0
    for request, found in compare(real, ours):
        asked += 1
        for difference in found:
            text, line = why(request.name, difference), f"{request.name}: {difference[:300]}"
            if text:
                known.setdefault(text, []).append(line)
            else:
                new.append(line)
    print(f"{asked} requests; theirs | ours")
    for text, lines in known.items():
        print(f"{text} ({len(lines)})\n    {lines[0][:150]}")
    return new


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = RealServer(folder, REAL, eureka__server__eviction_interval_timer_in_ms=600_000)
        node = DiscoveryNode(folder, "LPAR1", OURS)
        with running(server), discovery_rig.running(node):
            poll("our own instance is there", lambda: node.get("/v1/instances")["instances"])
            new = report(server.place, (OURS, discovery_rig.PORT))
    print(f"{len(new)} new", *new, sep="\n")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
