"""The fold of watch events that makes the next snapshot.

It keeps its set in step with the sender's. What a stream says is kept aside until a mark: at one that says `whole` it
is the set, and what it does not hold is gone; at any other it is a change of the set, and shown with it. So a stream
that breaks off leaves the set at its last mark, whose token the next stream, of whichever node, goes on from. A mark
whose count or checksum differs from ours means that a change was lost: `OutOfStep`, and all anew, without a token.

Not here: reading streams (`watch`), what a set of instances amounts to (`snapshot`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateway.snapshot import AS_REGISTERED, EMPTY, Settings, Snapshot, drawn, grouped, snapshot_of
from shared.errors import PlexmeshError
from shared.wire import Del, Instance, Mark, Owner, OwnerState, Put, WatchEvent, checksum


class OutOfStep(PlexmeshError):
    """The set folded here is not the sender's."""


@dataclass(slots=True)
class _Set:
    """One stream's set. `changed` are services whose upstream must be made anew."""

    instances: dict[str, Instance] = field(default_factory=dict)
    services: dict[str, dict[str, Instance]] = field(default_factory=dict)
    owners: dict[str, OwnerState] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    parts: int = 0

    def put(self, instance: Instance) -> None:
        self.remove(instance.key)
        self.instances[instance.key] = instance
        self.services.setdefault(instance.service, {})[instance.key] = instance
        self.changed.add(instance.service)
        self.parts = checksum(self.parts, instance.key, instance.gen, instance.rev)

    def remove(self, key: str) -> None:
        old = self.instances.pop(key, None)
        if old is None:
            return
        self.parts = checksum(self.parts, old.key, old.gen, old.rev)
        self.changed.add(old.service)
        group = self.services[old.service]
        del group[key]
        if not group:
            del self.services[old.service]


@dataclass(slots=True)
class _Aside:
    """What was said since the last mark, and of what nothing is left."""

    said: _Set = field(default_factory=_Set)
    gone: dict[str, None] = field(default_factory=dict)

    def put(self, instance: Instance) -> None:
        self.said.put(instance)
        self.gone.pop(instance.key, None)

    def remove(self, key: str) -> None:
        self.said.remove(key)
        self.gone[key] = None


class Fold:
    """Watch events in, snapshots out. `begin` is called when a stream is opened, with `token` as where it goes on."""

    def __init__(self, settings: Settings = AS_REGISTERED) -> None:
        self._settings = settings
        self._static = grouped(settings.static)
        self.snapshot = EMPTY
        self.token = ""
        """Of the last mark; empty: a stream is to begin with the whole set."""
        self._set = _Set()
        self._aside = _Aside()
        self._whole = False

    def configure(self, settings: Settings) -> Snapshot:
        """The same instances, with this configuration from now on."""
        self._settings, self._static = settings, grouped(settings.static)
        now = self._set
        self.snapshot = replace(snapshot_of(now.instances, now.owners, settings), token=self.snapshot.token)
        return self.snapshot

    def begin(self) -> None:
        self._aside = _Aside()
        self._whole = bool(self.token)

    def forget(self) -> None:
        """What was folded is not to be relied on; the snapshot stays in force until there is another."""
        self.token = ""

    def apply(self, event: WatchEvent) -> Snapshot | None:
        """The next snapshot when the event completes one. Raises OutOfStep."""
        match event:
            case Put(instances):
                for instance in instances:
                    self._aside.put(instance)
            case Del(keys):
                for key in keys:
                    self._aside.remove(key)
            case Owner(owner, state):
                self._aside.said.owners[owner] = state
            case Mark():
                return self._mark(event)
        return None

    def _mark(self, mark: Mark) -> Snapshot | None:
        if not (self._whole or mark.whole):
            return None
        self._whole = True
        aside, self._aside = self._aside, _Aside()
        if mark.whole:
            before, self._set = self._set, aside.said
            self._set.changed |= self._static.keys() & before.services.keys()  # others of it may have gone
        else:
            self._change(aside)
        if mark.count != len(self._set.instances) or mark.checksum != self._set.parts:
            self.forget()
            raise OutOfStep(f"{len(self._set.instances)} instances here, {mark.count} there, at {mark.token}")
        self.token = mark.token
        self.snapshot = self._next(mark.token)
        return self.snapshot

    def _change(self, aside: _Aside) -> None:
        for key in aside.gone:
            self._set.remove(key)
        for instance in aside.said.instances.values():
            self._set.put(instance)
        self._set.owners |= aside.said.owners

    def _next(self, token: str) -> Snapshot:
        """Services that did not change keep their upstream as it is."""
        now, static = self._set, self._static
        kept = {
            up.service: up
            for up in self.snapshot.upstreams.values()
            if up.service in now.services or up.service in static
        }
        for service in now.changed:
            kept.pop(service, None)
        now.changed = set()
        return drawn(now.instances, now.services, now.owners, self._settings, static, token, kept)
