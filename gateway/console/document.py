"""The document a console shows: sections of entries by key, made of what is known; and how one differs from another.

    lpars, components       what the launchers say, else what the registry shows of them
    gateways, nodes         each gateway's calls; each registry node with its view of the others
    services, instances     the registry, with how each gateway sees every instance
    caches, lab, runs, …    made elsewhere (`caches`, `lab`)

Entries that stay the same are the same objects, so comparing two documents costs little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.console.told import Told, figures, glances
from gateway.snapshot import Snapshot
from gateway.views import COMPONENTS, UNREACHABLE, instances_of
from shared.wire import Instance, Lpar

Entry = dict[str, Any]
Section = dict[str, Entry]
Document = dict[str, Section]

RANKS = {view: rank for rank, view in enumerate(("fine", "trial", "unproven", "ejected", "out", UNREACHABLE))}

NAMES = {"cachingservice": "caching"}
"""A component's name, where its service has another one."""


LAUNCHER = {"stopped": "stopped", "failed": "stopped", "paused": "paused"}
"""State of an LPAR → of its launcher; in all other states there is one."""


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    set: Document = {}
    drop: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self.set or self.drop)


class Peer(msgspec.Struct):
    origin: str = ""
    state: str = "unknown"


class NodeWord(msgspec.Struct, frozen=True):
    """What a discovery node tells of itself."""

    instances: int
    peers: list[Peer]


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes told, by LPAR; a string instead says why one told nothing."""

    gateways: Mapping[str, Sequence[Told] | str] = {}
    """Their last samples, the newest last; empty: not heard of yet."""
    nodes: Mapping[str, NodeWord | str] = {}
    lpars: Mapping[str, Lpar] = {}


def change(before: Document, after: Document) -> Change:
    """What has to be set and dropped to make `after` of `before`."""
    set_, drop = {}, {}
    for name in before.keys() | after.keys():
        old, new = before.get(name, {}), after.get(name, {})
        if old is new:
            continue
        differing = {key: entry for key, entry in new.items() if old.get(key) is not entry and old.get(key) != entry}
        gone = sorted(old.keys() - new.keys())
        if differing:
            set_[name] = differing
        if gone:
            drop[name] = gone
    return Change(set_, drop)


def settled(section: Section, before: Section) -> Section:
    """The same, made of the old entries where they did not change."""
    kept = {key: old if (old := before.get(key)) == entry else entry for key, entry in section.items()}
    same = len(kept) == len(before) and all(before.get(key) is entry for key, entry in kept.items())
    return before if same else kept


def lpars(snapshot: Snapshot, heard: Heard) -> Section:
    found: Section = {}
    for id, parts in _components_of(snapshot).items():
        silent = any(_silent(snapshot, each) for each in parts)
        launcher = next((each.url for each in parts if each.service == "launcher"), "")
        found[id] = {
            "id": id, "address": parts[0].host, "state": "silent" if silent else "ready", "launcher": launcher,
        }  # fmt: skip
    for id, said in heard.lpars.items():
        known = found.get(id, {"id": id, "address": said.address, "launcher": ""})
        found[id] = known | {"state": said.state, "launcher": said.launcher or known["launcher"]}
    for id, entry in found.items():
        samples = heard.gateways.get(id, ())
        entry["onAddress"] = samples[-1].on_address if samples and not isinstance(samples, str) else None
    return found


def components(snapshot: Snapshot, heard: Heard) -> Section:
    found: Section = {}
    for id, parts in _components_of(snapshot).items():
        for each in parts:
            entry = _component(id, NAMES.get(each.service, each.service), each, snapshot)
            found[f"{id}/{entry['name']}"] = entry
    for id, said in heard.lpars.items():
        if f"{id}/launcher" in found:
            found[f"{id}/launcher"] |= {"state": LAUNCHER.get(said.state, "ready"), "why": ""}
        for part in said.components:
            found[f"{id}/{part.name}"] = {
                "lpar": id,
                "name": part.name,
                "state": part.state,
                "pid": part.pid,
                "restarts": part.restarts,
                "uptimeS": None if part.uptime_s is None else round(part.uptime_s),
                "cpuPercent": part.cpu_percent,
                "rssBytes": part.rss_bytes,
                "url": part.url or "",
                "why": "; ".join(part.why),
            }
    return found


def gateways(snapshot: Snapshot, heard: Heard) -> Section:
    found: Section = {}
    for each in instances_of(snapshot, "gateway"):
        samples = heard.gateways.get(each.lpar or "", ())
        entry: Entry = {"lpar": each.lpar, "url": each.url, "reachable": None, "why": ""}
        if isinstance(samples, str):
            entry |= {"reachable": False, "why": samples}
        elif samples:
            last = samples[-1]
            entry |= {"reachable": True, "inFlight": last.in_flight, "clients": last.clients, "workers": last.workers}
            entry |= {"node": last.node, **figures(samples)}
        found[each.lpar or ""] = dict.fromkeys(GATEWAY_FACTS) | entry
    return found


GATEWAY_FACTS = ("perS", "errorsPerS", "p50Ms", "p99Ms", "inFlight", "clients", "workers", "node")


def nodes(snapshot: Snapshot, heard: Heard) -> Section:
    found: Section = {}
    for each in instances_of(snapshot, "discovery"):
        said = heard.nodes.get(each.lpar or "")
        entry: Entry = {"lpar": each.lpar, "url": each.url, "reachable": None, "why": ""}
        entry |= {"instances": None, "peers": {}}
        if isinstance(said, str):
            entry |= {"reachable": False, "why": said}
        elif said is not None:
            peers = {lpar_of(peer.origin): peer.state for peer in said.peers if peer.origin}
            entry |= {"reachable": True, "instances": said.instances, "peers": peers}
        found[each.lpar or ""] = entry
    return found


def instances(snapshot: Snapshot, heard: Heard) -> Section:
    told = {lpar: glances(said) for lpar, said in sorted(heard.gateways.items()) if said and not isinstance(said, str)}
    return {key: _instance(each, snapshot, told) for key, each in snapshot.instances.items()}


def _instance(each: Instance, snapshot: Snapshot, told: Mapping[str, Mapping[str, Entry]]) -> Entry:
    seen = {lpar: glance for lpar, there in told.items() if (glance := there.get(each.key)) is not None}
    worst = max(seen.values(), key=lambda glance: RANKS.get(glance["view"], -1), default={"view": "fine", "why": ""})
    return {
        "key": each.key,
        "service": each.service,
        "instance": each.instance,
        "lpar": each.lpar,
        "url": each.url,
        "status": each.status,
        "view": worst["view"],
        "why": worst["why"],
        "owner": snapshot.owners.get(each.owner, "alive"),
        "node": lpar_of(each.owner),
        "leaseS": each.lease_s,
        "renewedS": None,
        "weight": endpoint.weight if (endpoint := snapshot.endpoints.get(each.key)) else None,
        "metadata": each.metadata,
        "seen": seen,
    }


def lpar_of(origin: str) -> str:
    """Of a discovery node's boot."""
    return origin.partition("@")[0]


def _components_of(snapshot: Snapshot) -> dict[str, list[Instance]]:
    found: dict[str, list[Instance]] = {}
    for each in snapshot.instances.values():
        if each.lpar and each.service in COMPONENTS:
            found.setdefault(each.lpar, []).append(each)
    return found


def _silent(snapshot: Snapshot, each: Instance) -> bool:
    return snapshot.owners.get(each.owner, "alive") != "alive"


def _component(lpar: str, name: str, each: Instance, snapshot: Snapshot) -> Entry:
    silent = _silent(snapshot, each)
    state = "silent" if silent else "ready" if each.status == "UP" else "starting"
    facts = dict.fromkeys(("pid", "restarts", "uptimeS", "cpuPercent", "rssBytes"))
    why = f"its discovery node is {snapshot.owners[each.owner]}" if silent else ""
    return {"lpar": lpar, "name": name, "state": state, **facts, "url": each.url, "why": why}
