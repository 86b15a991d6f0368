"""`plexmesh explain`: the way of a call as a gateway explains it, printed, and then the call itself.

A sentence per step, with what was looked at below it, in the order of the call. The exit code is that of the call, or,
where none is made, of what is foretold.

Not here: what is found (the gateway's /gateway/v1/explain), which gateway is asked (`gateways`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import click
import msgspec
from rich.text import Text

from launcher import gateways
from launcher.gateways import Called
from launcher.screen import Terminal
from shared.command import DONE, NOT_AS_WANTED
from shared.errors import ConfigError, Unavailable

HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*)\Z")
OWN_FIELDS = ("connection", "content-length", "host", "origin", "transfer-encoding", "upgrade", "x-forward-to")
"""They frame or steer the request that asks, so they cannot be asked about."""

STEPS = ("path", "service", "instances", "route", "request", "answer")


class Step(msgspec.Struct):
    says: str
    details: list[str] = []


class Way(Step):
    """The first step."""

    target: str = ""


class Answer(Step):
    status: int | None = None
    instances: list[str] = []


class Gateway(msgspec.Struct):
    lpar: str
    url: str


class Explained(msgspec.Struct, kw_only=True):
    gateway: Gateway
    method: str
    url: str
    path: Way
    service: Step | None = None
    instances: Step | None = None
    route: Step | None = None
    request: Step | None = None
    answer: Answer


def headers_of(given: Iterable[str]) -> dict[str, str]:
    """`Name: value` of each `--header`. Raises ConfigError."""
    found = {}
    for text in given:
        header = HEADER.match(text)
        if header is None or header[1].lower() in OWN_FIELDS:
            raise ConfigError(
                f"--header: expected 'Name: value', of a field that neither frames nor steers, got {text!r}"
            )
        found[header[1]] = header[2].strip()
    return found


def run(base: str, url: str, method: str, headers: Mapping[str, str], *, call: bool, as_json: bool) -> int:
    """Ask that gateway, make the call if it is a GET, print it all; the exit code. Raises ConfigError, Unavailable."""
    body = gateways.get(base, "/gateway/v1/explain", {"url": url, "method": method}, headers)
    explained = decoded(body)
    called = gateways.call(base, explained.path.target, headers) if call and method == "GET" else None
    if as_json:
        click.echo(with_call(body, called))
    else:
        show(explained, called)
    return exit_code(explained, called)


def decoded(body: bytes) -> Explained:
    """Raises Unavailable."""
    try:
        return msgspec.json.decode(body, type=Explained)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"what was answered is no explanation: {error}") from error


def with_call(body: bytes, called: Called | None) -> bytes:
    """The explanation as JSON, and `call` in it."""
    return msgspec.json.encode(msgspec.json.decode(body, type=dict[str, msgspec.Raw]) | {"call": called})


def exit_code(explained: Explained, called: Called | None) -> int:
    """DONE when the call was answered, or would be, by whoever it is for."""
    answer = explained.answer
    status = answer.status if called is None else called.status
    if called is not None and status is None:
        return NOT_AS_WANTED
    refused_here = status == 404 and not answer.instances and ">" not in (called.path if called else "")
    return NOT_AS_WANTED if refused_here or (status or 200) >= 500 else DONE


def show(explained: Explained, called: Called | None) -> None:
    console = Terminal()
    heading = Text(f"{explained.method} {explained.url}", style="bold")
    console.print(heading.append(f"  as {explained.gateway.lpar}'s gateway sees it, {explained.gateway.url}", "dim"))
    for name in STEPS:
        step: Step | None = getattr(explained, name)
        if step is not None:
            console.print(Text(f"{name:<10} ", style="cyan").append(step.says, "default"))
            for each in step.details:
                console.print(Text(f"{'':<13}{each}", style="dim"))
    if called is not None:
        console.print(Text(f"{'the call':<10} ", style="cyan").append(*_outcome(called)))


def _outcome(called: Called) -> tuple[str, str]:
    """In words, and in which style."""
    if called.status is None:
        return f"{called.trouble}.", "red"
    parts = [f"{called.status} {called.reason} in {called.time_ms:.1f} ms", called.path, called.number, called.content]
    return "  ".join(part for part in parts if part), "green" if called.status < 400 else "red"
