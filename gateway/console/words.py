"""What happened in the sysplex, in words: one line of the timeline for an event of any process, or none.

    endpoint.out {instance: sample/127.0.2.1:sample:7560, why: connection refused}   of LPAR1's gateway
    → health, bad: "LPAR1's gateway leaves out sample at 127.0.2.1:7560: connection refused"

An event's name decides what kind of news it is, in which tone, and the sentence (`sayings`). The launcher and `plexmesh
up` bring words of their own in the field `text`. An event that is not known is shown as it is, under `other`.

Pure; nothing raises, whatever an event's fields are.

Not here: following the processes, or the order of the lines (`collector`).
"""

from __future__ import annotations

import msgspec

from gateway.console.facts import TEXT_CHARS, Facts, cut, tidy
from gateway.console.sayings import QUIET, SAYINGS, Kind, Tone, by_itself
from shared.events import Event


class Source(msgspec.Struct, frozen=True):
    """Who says it. `component`: gateway, discovery, launcher, caching, sample, or sysplex for `plexmesh up`, whose lpar
    is empty; `process` is one run of it ("LPAR1/gateway@1795702504")."""

    lpar: str
    component: str
    process: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is the same at every gateway; `instance` is a key (service/instance), or empty as `service` and `lpar` may
    be."""

    id: str
    time: float
    lpar: str
    source: str = msgspec.field(name="from")
    kind: Kind
    tone: Tone
    service: str = ""
    instance: str = ""
    event: str
    text: str


def line(source: Source, event: Event) -> Line | None:
    """None: it would tell nobody anything."""
    if event.event in QUIET:
        return None
    facts = Facts(source.lpar, source.component, event.fields)
    saying = SAYINGS.get(event.event) or by_itself(event.event, facts)
    text = saying.text.format_map(facts) if isinstance(saying.text, str) else saying.text(facts)
    if not text:
        return None
    return Line(
        id=f"{source.process}/{event.seq}",
        time=event.time,
        lpar=facts["lpar"],
        source=tidy(source.component),
        kind=saying.kind,
        tone=saying.tone if isinstance(saying.tone, str) else saying.tone(facts),
        service=facts.service,
        instance=facts.key,
        event=tidy(event.event),
        text=cut(text, TEXT_CHARS),
    )
