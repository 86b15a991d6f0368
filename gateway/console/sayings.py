"""The sentence for each event, its kind and its tone. What nobody needs to know is `QUIET`.

Names of events are those of the processes that emit them (`emit` there; `launcher.messages`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from gateway.console.facts import NAMES, Facts, place, tidy

Kind = Literal["registry", "health", "process", "peer", "address", "cache", "drill", "gateway", "other"]
Tone = Literal["good", "warn", "bad", "info"]


class Saying(NamedTuple):
    """`text` is a template over `Facts`, or makes the sentence of them; so does the tone, where one name stands for
    good and bad news. An empty sentence is no news."""

    kind: Kind
    tone: Tone | Callable[[Facts], Tone]
    text: str | Callable[[Facts], str]


def _drill_tone(facts: Facts) -> Tone:
    return DRILL_TONES.get(facts["state"], "warn")


def by_itself(event: str, facts: Facts) -> Saying:
    """One that is not known here: its own words, else its name and fields."""
    kind: Kind = "drill" if event.startswith("drill.") else "other"
    if facts.get("text"):
        return Saying(kind, "info", _own_words)
    told = ", ".join(f"{tidy(name)} {tidy(value)}" for name, value in list(facts.raw.items())[:NAMES])
    name = tidy(event) or "something"
    return Saying(kind, "info", lambda facts: f"{facts['who']}: {name}{f' ({told})' if told else ''}")


# --- registry


def _instances(facts: Facts, one: str, many: str) -> str:
    """`one` and `many` say what became of it, or of them."""
    if facts.count == 1 and facts.key:
        return f"{place(facts.key)} {one}{facts.why()}"
    services = facts.number("services")
    of = f"{services:.0f} services" if services else facts.service or "a service"
    named = facts.raw.get("instances")
    names = [place(tidy(each)) for each in named[:NAMES]] if isinstance(named, list | tuple) else []
    if names and not services:
        names = [each.removeprefix(f"{facts.service} at ") for each in names]
    rest = facts.count - len(names)
    told = f" ({', '.join(names)}{f' and {rest} more' if rest > 0 else ''})" if names else ""
    return f"{facts.count} instances of {of} {many}{facts.why()}{told}"


def _registered(facts: Facts) -> str:
    again = " again" if facts.raw.get("again") is True else ""
    return _instances(facts, f"is registered{again}", f"are registered{again}")


def _status(facts: Facts) -> str:
    was = f", was {facts['before']}" if facts.get("before") else ""
    return _instances(facts, f"is now {facts['status']}{was}", f"are now {facts['status']}{was}")


DRILL_TONES: Mapping[str, Tone] = {"passed": "good", "failed": "bad", "error": "bad"}


def _adopted(facts: Facts) -> str:
    held = facts.get("node") or "another node"
    return _instances(facts, *2 * (f"sent a heartbeat to {facts['who']}, which holds the lease in place of {held}'s",))


STATUS_TONES: Mapping[str, Tone] = {"UP": "good", "DOWN": "bad", "OUT_OF_SERVICE": "warn"}


def _status_tone(facts: Facts) -> Tone:
    return STATUS_TONES.get(facts["status"], "info")


# --- peers


def _judged(facts: Facts) -> str:
    """Of a discovery node by another. A former process of a node that runs is no news."""
    if facts.raw.get("former") is True:
        return ""
    who, whom = facts["lpar"], f"{facts['peer_name']}'s discovery"
    silent_s, by = facts.seconds("silent_s"), facts.raw.get("by")
    why = f": no answer for {silent_s}" if silent_s else ""
    others = [tidy(each) for each in by if each != who] if isinstance(by, list | tuple) else []
    if others:
        why += f" (so {'says' if len(others) == 1 else 'say'} {' and '.join(others[:NAMES])})"
    match facts["state"]:
        case "suspect":
            return f"{whom} is suspected by {who}{why}"
        case "dead" if facts.raw.get("left") is True:
            return f"{whom} has taken its leave of {who}"
        case "dead":
            return f"{whom} is dead, says {who}{why}"
        case "alive":
            return f"{who} and {facts['peer_name']} see each other again"
        case state:
            return f"{whom} is {state}, says {who}"


def _judged_tone(facts: Facts) -> Tone:
    if facts["state"] == "alive":
        return "good"
    return "bad" if facts["state"] == "dead" and facts.raw.get("left") is not True else "warn"


def _guard_tone(facts: Facts) -> Tone:
    return "warn" if facts.raw.get("on") else "good"


def _isolation(facts: Facts) -> str:
    if facts.raw.get("on"):
        return f"{facts['who']} may be cut off from the others and lets nothing expire{facts.why()}"
    return f"{facts['who']} is no longer cut off: leases run out as usual"


def _owner_guard(facts: Facts) -> str:
    if facts.raw.get("on"):
        return f"{facts['who']} lets nothing expire for a while (self-preservation){facts.why()}"
    return f"{facts['who']} lets leases run out as usual again"


def _covered(facts: Facts) -> str:
    if facts.raw.get("alone"):
        return f"{facts['who']} is alone and serves what it has"
    return f"{facts['who']} has what the others have, after {facts.seconds('after_s') or 'a while'}"


def _fenced(facts: Facts) -> str:
    stopped = facts.seconds("stopped_s")
    return f"{facts['who']} was stopped for {stopped or 'a while'} and begins again with what the others have"


# --- gateway


def _leaves_out(facts: Facts) -> str:
    return f"{facts['who']} leaves out {facts['place']}{facts.why('it cannot be connected to')}"


def _ejected(facts: Facts) -> str:
    return f"{facts['who']} ejects {facts['place']}{facts.why('its calls fail')}"


def _unproven(facts: Facts) -> str:
    return f"{facts['who']} doubts {facts['place']} and prefers others{facts.why()}"


def _trial(facts: Facts) -> str:
    return f"{facts['who']} tries {facts['place']} again"


def _fine(facts: Facts) -> str:
    return f"{facts['who']} trusts {facts['place']} again"


def _drained(facts: Facts) -> str:
    cut = facts.number("cut") or 0
    if not cut:
        return f"{facts['who']} has finished all its calls"
    return f"{facts['who']} ends; {cut:.0f} connections were still in use and are cut"


def _following(facts: Facts) -> str:
    return f"{facts['who']} follows the registry at {facts['node']} ({facts['instances']} instances)"


# --- caching


def _opened(facts: Facts) -> str:
    where = facts.get("data_set") or facts.get("master") or facts.get("endpoints") or "its storage"
    return f"{facts['who']} has opened {where}"


# --- launcher


def _own_words(facts: Facts) -> str:
    """The launcher's: "gateway(4711) ended: exit code 1"."""
    return f"{facts['lpar']}: {facts['text']}" if facts["lpar"] else facts["text"]


def _of_component(facts: Facts) -> str:
    return f"{facts['lpar']}'s {facts['text']}" if facts["lpar"] else facts["text"]


Told = Mapping[str, tuple[Tone | Callable[[Facts], Tone], str | Callable[[Facts], str]]]


def _sayings(kind: Kind, told: Told) -> dict[str, Saying]:
    return {event: Saying(kind, tone, text) for event, (tone, text) in told.items()}


def _own(prefix: str, text: Callable[[Facts], str], names: Mapping[Tone, str]) -> dict[str, Saying]:
    """Those that bring their own words, by tone."""
    return {f"{prefix}{name}": Saying("process", tone, text) for tone, each in names.items() for name in each.split()}


SAYINGS: dict[str, Saying] = {
    **_sayings(
        "registry",
        {
            "instances.registered": ("good", _registered),
            "instances.left": ("info", lambda facts: _instances(facts, "has deregistered", "have deregistered")),
            "instances.expired": ("bad", lambda facts: _instances(facts, "has expired", "have expired")),
            "instances.status": (_status_tone, _status),
            "instances.adopted": ("info", _adopted),
            "record.quarantined": ("bad", "{who} cannot read the registration of {place} and leaves it out"),
            "guard.owner": (_guard_tone, _owner_guard),
            "snapshot.loaded": ("info", "{who} begins with the {records} registrations it saved"),
            "snapshot.refused": ("warn", "{who} cannot use what it saved: {reason}"),
            "snapshot.failed": ("warn", "{who} cannot save the registry: {reason}"),
            "snapshot.recovered": ("good", "{who} saves the registry again"),
            "definitions.loaded": ("info", "{who} has read the static definitions in {file}: {instances}"),
            "definitions.withdrawn": ("info", "{who} no longer serves the static definitions {instances}"),
            "definitions.not_applied": ("warn", "{who} does not serve the static definition {instance}: {reason}"),
            "definitions.refused": ("warn", "{who} refuses a static definition in {file}: {reason}"),
            "eureka_peer.listed": ("info", "{who} has {instances} instances from the Eureka server {url}"),
            "eureka_peer.failing": ("warn", "{who} gets no answer from the Eureka server {url}: {reason}"),
            "eureka_peer.up": ("good", "{who} reaches the Eureka server {url}"),
        },
    ),
    **_sayings(
        "health",
        {
            "endpoint.out": ("bad", _leaves_out),
            "endpoint.ejected": ("bad", _ejected),
            "endpoint.unproven": ("warn", _unproven),
            "endpoint.trial": ("info", _trial),
            "endpoint.fine": ("good", _fine),
        },
    ),
    **_sayings(
        "peer",
        {
            "owner.changed": (_judged_tone, _judged),
            "peer.met": ("good", "{lpar} meets {peer_name}'s discovery at {peer}"),
            "peer.failed": ("warn", "{who} cannot reach {peer}: {reason}"),
            "peer.refused": ("bad", "{who} refuses the node at {peer}: {why}"),
            "peer.given_up": ("info", "{who} no longer looks for a node at {peer}"),
            "node.refused": ("bad", "{who} is refused by {by}: {why}"),
            "node.covered": ("good", _covered),
            "node.fenced": ("bad", _fenced),
            "guard.isolation": (_guard_tone, _isolation),
            "clock.differs": ("warn", "{who}: the clock of {peer} differs by {by_s} s"),
            "log.audit_failed": ("bad", "{who}: its copy of {peer_name}'s registrations differs and is fetched again"),
            "keys.changed": ("info", "{who} signs with another gossip key"),
            "keys.refused": ("bad", "{who} cannot use the new gossip keys and keeps those it has: {reason}"),
        },
    ),
    **_sayings(
        "address",
        {
            "vipa.in": ("good", "{who} is on the sysplex address {address}"),
            "vipa.out": ("warn", "{who} leaves the sysplex address {address}"),
            "lpar.quiesced": ("warn", _own_words),
            "lpar.activated": ("good", _own_words),
        },
    ),
    **_sayings(
        "gateway",
        {
            "gateway.drained": ("info", _drained),
            "gateway.reloading": ("info", "{who} reads its configuration again and replaces its {workers} workers"),
            "gateway.reloaded": ("good", "{who} runs with its new configuration"),
            "worker.started": ("info", "{who} has started worker {worker}, process {pid}"),
            "worker.ended": ("info", "{who}: worker {worker}, process {pid}, has finished"),
            "worker.died": ("bad", "{who}: worker {worker}, process {pid}, died: {how}"),
            "worker.not_started": ("bad", "{who} cannot start worker {worker}: {why}"),
            "worker.not_renewed": ("warn", "{who} keeps worker {worker}, a new one is not ready: {why}"),
            "watch.lost": ("warn", "{who} has lost the registry at {node}: {why}"),
            "watch.following": ("good", _following),
            "login.users": ("info", "{who} has read the user file: {count} users"),
            "login.users_refused": ("bad", "{who} cannot use the user file and keeps its {kept} users: {why}"),
            "login.keys": ("info", "{who} has the keys that logins are signed with"),
            "login.key_refused": ("bad", "{who} cannot use a key of logins: {why}"),
            "login.notice": ("warn", "{who}: {why}"),
        },
    ),
    **_sayings(
        "cache",
        {
            "storage.opened": ("good", _opened),
            "storage.writes_refused": ("bad", "{who} refuses writes: {why}"),
            "storage.writes_resumed": ("good", "{who} takes writes again"),
            "storage.master_changed": ("warn", "{who} follows another Redis master: {now} instead of {before}"),
            "storage.holder_silent": ("bad", "{who}: {holder} keeps the lock of {data_set} and gives no sign of life"),
            "storage.fenced": ("warn", "{who} has had {holder} ended, which kept the lock of {data_set}"),
            "storage.not_fenced": ("bad", "{who} could not have {holder} ended, which keeps {data_set}: {why}"),
        },
    ),
    **_sayings(
        "process",
        {
            "gateway.started": ("good", "{who} serves at {address}"),
            "gateway.leaving": ("info", "{who} is about to stop"),
            "node.started": ("good", "{who} serves at {address}"),
            "node.leaving": ("info", "{who} is about to stop"),
            "node.reborn": ("info", "{who} goes on as a newer process of itself: the others knew a later one"),
            "caching.started": ("good", "{who} has started, its storage is {storage}"),
            "caching.leaving": ("info", "{who} is about to stop"),
            "sample.started": ("good", "{who} has started"),
            "sample.leaving": ("info", "{who} is about to stop"),
            "console.line": ("warn", "{lpar}: {text}"),
        },
    ),
    **_own(
        "component.",
        _of_component,
        {
            "good": "ready resumed reloaded",
            "info": "started stopping stopped",
            "warn": "not_awaited not_ready left restarting killing paused",
            "bad": "not_started not_restarted hung ended given_up fenced",
        },
    ),
    **_own(
        "launcher.",
        _own_words,
        {
            "good": "started reloaded",
            "info": "stop_ordered stopped",
            "warn": "stopped_by_force strays",
            "bad": "not_all_started not_reloaded",
        },
    ),
    **_own(
        "lpar.",
        _own_words,
        {"good": "ready resumed", "info": "starting", "warn": "not_ready paused stopped", "bad": "killed lost"},
    ),
    **_own(
        "sysplex.",
        _own_words,
        {"good": "reloaded", "info": "certificates", "warn": "kept stopping insecure", "bad": "not_reloaded"},
    ),
    "drill.started": Saying("drill", "info", "{text}"),
    "drill.step": Saying("drill", "info", "{text}"),
    "drill.ended": Saying("drill", _drill_tone, "{text}"),
    "command.not_possible": Saying("process", "warn", _own_words),
    "gateway.fenced": Saying("process", "bad", _of_component),
}  # fmt: skip
"""By the event's name."""

QUIET = frozenset(
    {
        "lease.expired", "lease.adopted", "log.forgotten", "component.initialised", "component.intervals",
        "component.port_moved", "component.waiting", "component.registering", "launcher.starting",
        "launcher.stopping", "launcher.ending", "launcher.ended", "command.received", "command.unknown",
        "command.bad_value", "command.not_found", "command.already_running", "command.components",
        "command.component",
    }
)  # fmt: skip
"""What nobody needs to know, or what another event says better."""
