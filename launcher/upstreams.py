"""`plexmesh upstreams`: each service as a gateway sees it, its rules and its instances, in tables.

What a gateway tells of an instance grows: the columns known here come first, whatever else there is follows, and a
column in which nothing stands is left out. Why an instance is not called stands below the table, as a sentence. What is
wider than the terminal is not cut: the terminal breaks it.

Not here: where it comes from (the gateway's /gateway/v1/upstreams), which gateway is asked (`gateways`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import click
import msgspec
from rich.table import Table
from rich.text import Text

from launcher import gateways
from launcher.screen import Terminal
from shared.command import DONE
from shared.errors import NotFound, Unavailable, nearest

FIRST = ("instance", "lpar", "url", "status", "view")
LAST = ("owner",)
NO_COLUMN = ("service", "why")
KNOWN_SERVICE = ("service", "sticky", "routes", "instances")
KNOWN_ROUTE = ("gatewayUrl", "serviceUrl")

NOTHING = ("", "0", "{}", "[]")
STYLES = {"fine": "green", "out": "bold red", "UNREACHABLE": "bold red", "UP": "green", "DOWN": "red"}
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

Record = Mapping[str, Any]


class Seen(msgspec.Struct):
    gateway: dict[str, Any]
    upstreams: list[dict[str, Any]]


def run(base: str, service: str | None, *, as_json: bool) -> int:
    """Ask that gateway, print what it says; the exit code. Raises NotFound, Unavailable."""
    seen = only(decoded(gateways.get(base, "/gateway/v1/upstreams", {}, {})), service)
    if as_json:
        click.echo(msgspec.json.encode(seen))
    else:
        show(seen)
    return DONE


def decoded(body: bytes) -> Seen:
    """Raises Unavailable."""
    try:
        return msgspec.json.decode(body, type=Seen)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"what was answered are no upstreams: {error}") from error


def only(seen: Seen, service: str | None) -> Seen:
    """That service, or all. Raises NotFound."""
    if service is None:
        return seen
    found = [each for each in seen.upstreams if each["service"] == service.lower()]
    if not found:
        known = [each["service"] for each in seen.upstreams]
        raise NotFound(f"the gateway knows no service {service.lower()!r}{nearest(service.lower(), known)}")
    return Seen(seen.gateway, found)


def show(seen: Seen) -> None:
    console = Terminal()
    console.print(Text(f"as {seen.gateway.get('lpar')}'s gateway sees it, {seen.gateway.get('url')}", style="dim"))
    for upstream in seen.upstreams:
        console.print()
        console.print(Text(upstream["service"], style="bold"))
        for line in about(upstream):
            console.print(Text(f"  {line}"))
        table = instance_table(upstream["instances"])
        console.print(table, width=console.measure(table).maximum, crop=False)
        for each in upstream["instances"]:
            if each.get("why"):
                console.print(Text(f"  {each['instance']}: {each['why']}"))
    if not seen.upstreams:
        console.print("no service")


def about(upstream: Record) -> list[str]:
    """A line per rule, and one per thing that is said of the service as a whole."""
    lines = []
    for route in upstream["routes"]:
        more = [f"{key} {cell(value)}" for key, value in route.items() if key not in KNOWN_ROUTE and _says(value)]
        lines.append("   ".join([f"{route['gatewayUrl']} → {route['serviceUrl']}", *more]))
    if upstream.get("sticky"):
        lines.append(f"sticky: {cell(upstream['sticky'])}")
    return lines + [
        f"{_heading(key)}: {cell(value)}"
        for key, value in upstream.items()
        if key not in KNOWN_SERVICE and _says(value)
    ]


def instance_table(instances: Iterable[Record]) -> Table:
    instances = list(instances)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    columns = columns_of(instances)
    for key in columns:
        table.add_column(_heading(key), no_wrap=True)
    for each in instances:
        table.add_row(*(Text(text, style=STYLES.get(text, "")) for text in (cell(each.get(key)) for key in columns)))
    return table


def columns_of(instances: Iterable[Record]) -> list[str]:
    """The keys in which something stands, in the order of the columns."""
    instances = list(instances)
    keys = list(dict.fromkeys(key for each in instances for key in each if key not in NO_COLUMN))
    ordered = [*FIRST, *(key for key in keys if key not in FIRST + LAST), *LAST]
    return [key for key in ordered if any(_says(each.get(key)) for each in instances)]


def cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else ""
        case float():
            return f"{value:.6g}"
        case dict():
            return ", ".join(f"{key} {cell(each)}" for key, each in value.items() if _says(each))
        case list():
            return "; ".join(cell(each) for each in value)
    return str(value)


def _says(value: object) -> bool:
    return cell(value) not in NOTHING and value != "alive"


def _heading(key: str) -> str:
    """`inFlight` as people write it."""
    return WORDS.sub(" ", key).lower() if key != "lpar" else "LPAR"
