"""The watch stream: what is visible, pushed to gateways as it changes (`GET /v1/watch`, server-sent events).

    given no token   the whole set as puts, a mark with `whole`, and what has changed meanwhile
    given a token    what has changed since, from whichever node it is (`discovery.token`); a node that is behind the
                     token waits for its peers; the whole set where it cannot be told, or waiting is in vain
    then             changes as they come, each batch ended by a mark; a mark at least every `MARK_S`

A mark's id is the token; its checksum covers the set the watcher should have there (of the services it wants). The
whole set is encoded while it is written, a slice at a time: what changes meanwhile is told afterwards as it is to
somebody who comes back with that token, so a new watcher costs the others nothing. Batches are encoded once for all
watchers.

Shapes: `shared.wire`. Not here: HTTP (`discovery.v1`), the buffer (`discovery.watcher`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from itertools import islice

from discovery import frames
from discovery.limits import Busy
from discovery.messages import epoch_of, node_of
from discovery.node import Node
from discovery.tally import Services, Tally
from discovery.token import Token, behind, changed_since, formatted, token_at
from discovery.view import Change, Held
from discovery.watcher import Watcher
from shared.wire import Mark, OwnerState

BATCH_S = 0.010
MARK_S = 5.0
SLICE = 400
"""Changes encoded in one step: about 3 ms."""
SLICE_BYTES = 128 * 1024
"""And no more than that, so that watchers can take it while the next is made."""
BEHIND_S = 10.0
"""A node behind a token waits so long for its peers."""
LOST_S = 2.0
"""So long, if what it lacks was written by nodes that are dead: nobody may have it."""
LOOK_S = 0.02
SAY_S = 1.0


class Audience:
    """The watchers that want the same services."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.watchers: set[Watcher] = set()


class Watch:
    def __init__(self, node: Node, buffer_bytes: int, watchers_max: int = 1000) -> None:
        self._node = node
        self._buffer_bytes = buffer_bytes
        self._watchers_max = watchers_max
        self._tally = Tally(node.view.all())
        self._count = 0
        self._audiences: dict[Services, Audience] = {}
        self._wanting: dict[str, set[Audience]] = {}
        self._polled: dict[str, set[asyncio.Event]] = {}
        self._changed: dict[str, tuple[str, Held | None]] = {}
        self._owners: dict[str, OwnerState] = {}
        self._unmarked: set[Audience] = set()
        self._flush: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        return self._count

    # --- told by the driver

    def changed(self, changes: Iterable[Change]) -> None:
        for change in changes:
            service = self._tally.note(change)
            if self._audiences:
                self._changed[change.key] = service, change.after
            for news in self._polled.get(service, ()):
                news.set()
        if self._audiences:
            self._flush_soon()

    def owner_changed(self, origin: str, state: OwnerState) -> None:
        if self._audiences:
            self._owners[origin] = state
            self._flush_soon()

    async def mark_regularly(self) -> None:
        while True:
            await asyncio.sleep(MARK_S)
            if self._audiences:
                self._unmarked.update(self._audiences.values())
                self._flush_soon()

    def close(self) -> None:
        """End all streams and polls."""
        self._closed = True
        for audience in self._audiences.values():
            for watcher in audience.watchers:
                watcher.end()
        for polls in self._polled.values():
            for news in polls:
                news.set()

    # --- asked by watchers

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """A place for one watcher or poll. Raises Busy."""
        if self._count >= self._watchers_max or self._closed:
            raise Busy(f"watchers: {self._count} follow this node, at most {self._watchers_max} may; follow another")
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    async def stream(self, services: Services, token: Token | None) -> AsyncGenerator[bytes]:
        """All a watcher is to be told, from its token on, until this node closes; to be written as it comes."""
        yield b"".join(frames.owner(origin, state) for origin, state in self._node.owners().items())
        if token is not None:
            async for waiting in self._until_not_behind(token):
                yield waiting
        while not self._closed:
            marked: Token | None = None
            while (changed := self._changed_since(token, services)) is None or len(changed) > frames.MAX_RECORDS:
                token = marked = self.token()
                mark = frames.mark(self._mark(services, token, whole=changed is None))
                async for frame in self._slices(*self._now(changed, services)):
                    yield frame
                yield mark
            token = self.token()
            with self._joined(services, token) as watcher:
                puts, dels = self._now(changed, services)
                told = [*frames.puts(map(frames.encoded, puts)), *frames.dels(dels)]
                if token != marked:
                    yield b"".join([*told, frames.mark(self._mark(services, token))])
                async for frame in watcher.frames():
                    yield frame
            token = watcher.token

    async def changes(self, service: str, token: Token, wait_s: float) -> bool:
        """Wait until something of a service may have changed since the token, at most so long; False: nothing has."""
        news = asyncio.Event()
        polls = self._polled.setdefault(service, set())
        polls.add(news)
        try:
            async with asyncio.timeout(wait_s):
                async for _ in self._until_not_behind(token):
                    pass
                news.clear()
                if not self._is_told(token, service):
                    await news.wait()
            return not self._closed
        except TimeoutError:
            return bool(behind(token, self._node.spaces))
        finally:
            polls.discard(news)
            if not polls:
                del self._polled[service]

    def token(self) -> Token:
        return token_at(self._node.spaces, self._node.hidden())

    # --- inside: catching up

    async def _until_not_behind(self, token: Token) -> AsyncIterator[bytes]:
        """Wait for the peers, saying so each second."""
        loop = asyncio.get_running_loop()
        began = said = loop.time()
        while lacking := behind(token, self._node.spaces):
            now = loop.time()
            in_vain = all(self._is_past(origin) for origin in lacking)
            if now - began >= (LOST_S if in_vain else BEHIND_S) or self._closed:
                return
            if now - said >= SAY_S:
                said = now
                yield frames.comment(f"waiting for the log of {', '.join(lacking)}")
            await asyncio.sleep(LOOK_S)

    def _is_past(self, origin: str) -> bool:
        """It is dead, or has a successor: nobody writes its log any more."""
        node, epoch = node_of(origin), epoch_of(origin)
        if self._node.owners().get(origin) == "dead":
            return True
        return any(node_of(each) == node and epoch_of(each) > epoch for each in self._node.spaces)

    def _changed_since(self, token: Token | None, services: Services) -> Mapping[str, str] | None:
        """Key to service; None: the whole set is to be told."""
        if token is None:
            return None
        changed = changed_since(token, self._node.spaces, self._node.hidden())
        if changed is None or services is None:
            return changed
        return {key: service for key, service in changed.items() if service in services}

    def _is_told(self, token: Token, service: str) -> bool:
        changed = changed_since(token, self._node.spaces, self._node.hidden(), service)
        return changed is None or bool(changed)

    def _now(self, changed: Mapping[str, str] | None, services: Services) -> tuple[list[Held], list[str]]:
        """What is visible now of those, and which of them are not; of all with None."""
        view = self._node.view
        if changed is None:
            return list(view.all()) if services is None else [held for each in services for held in view.of(each)], []
        held = {key: view.get(key) for key in changed}
        return [each for each in held.values() if each is not None], [key for key, each in held.items() if each is None]

    async def _slices(self, puts: Iterable[Held], dels: Iterable[str]) -> AsyncIterator[bytes]:
        """Events, each encoded when it is asked for, with a turn for everybody else between two."""
        for frame in frames.puts(map(frames.encoded, puts)):
            yield frame
            await asyncio.sleep(0)
        for frame in frames.dels(dels):
            yield frame

    @contextlib.contextmanager
    def _joined(self, services: Services, token: Token) -> Iterator[Watcher]:
        """What changes from this moment, which is that token's, on comes into the watcher's buffer."""
        audience = self._audiences.get(services) or self._new_audience(services)
        watcher = Watcher(self._buffer_bytes, token)
        audience.watchers.add(watcher)
        try:
            yield watcher
        finally:
            audience.watchers.discard(watcher)
            if not audience.watchers:
                self._forget_audience(audience)

    def _new_audience(self, services: Services) -> Audience:
        audience = self._audiences[services] = Audience(services)
        for service in services or ():
            self._wanting.setdefault(service, set()).add(audience)
        return audience

    def _forget_audience(self, audience: Audience) -> None:
        del self._audiences[audience.services]
        self._unmarked.discard(audience)
        for service in audience.services or ():
            self._wanting[service].discard(audience)
            if not self._wanting[service]:
                del self._wanting[service]
        if not self._audiences:
            self._changed.clear()

    # --- inside: telling

    def _mark(self, services: Services, token: Token, whole: bool = False) -> Mark:
        count, checksum = self._tally.of(services)
        return Mark(formatted(token), count, checksum, whole)

    def _flush_soon(self) -> None:
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(BATCH_S, self._flush_now)

    def _flush_now(self) -> None:
        """Tell a slice of what has changed; marks follow when all of it is told."""
        self._flush = None
        told = self._told()
        self._unmarked.update(told)
        for audience, parts in told.items():
            frame = b"".join(parts)
            for watcher in audience.watchers:
                watcher.feed(frame)
        if self._changed:
            self._flush = asyncio.get_running_loop().call_later(0, self._flush_now)
            return
        token = self.token()
        for audience in self._unmarked:
            frame = frames.mark(self._mark(audience.services, token))
            for watcher in audience.watchers:
                watcher.feed(frame, token)
        self._unmarked.clear()

    def _told(self) -> dict[Audience, list[bytes]]:
        """The next events for each audience that has any."""
        puts: dict[Audience, list[bytes]] = {}
        dels: dict[Audience, list[str]] = {}
        everything = [self._audiences[None]] if None in self._audiences else []
        room = SLICE_BYTES
        for key in list(islice(self._changed, SLICE)):
            if room < 0:
                break
            service, held = self._changed.pop(key)
            audiences = [*self._wanting.get(service, ()), *everything]
            part = frames.encoded(held) if held is not None and audiences else b""
            room -= len(part)
            for audience in audiences:
                if part:
                    puts.setdefault(audience, []).append(part)
                else:
                    dels.setdefault(audience, []).append(key)
        owners, self._owners = self._owners, {}
        said = [frames.owner(origin, state) for origin, state in owners.items()]
        told = {audience: [*said] for audience in self._audiences.values()} if said else {}
        for audience, instances in puts.items():
            told.setdefault(audience, []).extend(frames.puts(instances))
        for audience, keys in dels.items():
            told.setdefault(audience, []).extend(frames.dels(keys))
        return told
