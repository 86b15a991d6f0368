"""What real Eureka servers tell this node: batches of what their clients have said, and their list when we start.

    Register               200, whether it was taken or not (as Netflix's servers do)
    Heartbeat              200; 404: unknown here, or older here, so register it; 409 and what is here: newer here
    StatusUpdate, DeleteStatusOverride, Cancel      200; 404: unknown here
    what cannot be understood                       400 in its place

All of it is taken in as `replicated` and never told to a Eureka server again: they all talk to each other themselves.
A heartbeat for what is older here may bring an operator's override, which is stored although the rest is to follow. An
override that stands already is only a renewal: several nodes may be told the same and need not all write it. A server
that got no answer says its batch again: who leaves and comes back in it, and is here already, does not leave once more.

Source: Netflix Eureka, PeerReplicationResource and InstanceResource.renewLease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from discovery.eureka import document
from discovery.eureka.batch import Item, Response, decode_items, encode_responses
from discovery.eureka.decode import registration
from discovery.record import STATE_OF, STATUS_OF, Status, key_of
from discovery.registry import Registry
from shared.errors import BadInput, NotFound

OK, UNREADABLE, UNKNOWN, NEWER = 200, 400, 404, 409


class Inbound:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def answer(self, body: bytes, now: float) -> bytes:
        """To a batch. Raises BadInput, Unparsable: it is none."""
        items = decode_items(body)
        again = self._said_again(items)
        return encode_responses(
            [Response(OK) if index in again else self.respond(item, now) for index, item in enumerate(items)]
        )

    def respond(self, item: Item | None, now: float) -> Response:
        if item is None or not item.app_name or not item.id:
            return Response(UNREADABLE)
        key = key_of(item.app_name.lower(), item.id)
        try:
            match item.action:
                case "Register":
                    return self._register(item, now)
                case "Heartbeat":
                    return self._renew(item, key, now)
                case "StatusUpdate":
                    self._override(key, _status(item.status), item.last_dirty_timestamp or 0, now)
                case "DeleteStatusOverride":
                    self._clear_override(key, now)
                case "Cancel":
                    return Response(OK if self._registry.cancel(key, now) else UNKNOWN)
        except NotFound:
            return Response(UNKNOWN)
        except BadInput:
            return Response(UNREADABLE)
        return Response(OK)

    def take(self, instance: Mapping[str, Any], now: float, app: str = "") -> bool:
        """Take in an instance's document, unless what is known here is as new. `app` is the one it must be of, if that
        is known. False: it is not to be understood."""
        try:
            given = registration(instance, app or str(instance.get("app")))
            self._registry.register(given, now, replicated=True)
        except BadInput:
            return False
        return True

    def _said_again(self, items: Sequence[Item | None]) -> set[int]:
        """Which are cancellations from before a registration that is held here."""
        stamps: dict[str, int] = {}  # of the registrations further on
        found = set()
        for index in reversed(range(len(items))):
            item = items[index]
            if item is None:
                continue
            key = key_of(item.app_name.lower(), item.id)
            if item.action == "Register":
                stamps[key] = item.last_dirty_timestamp or 0
            elif item.action == "Cancel" and self._holds(key, stamps.get(key, 0)):
                found.add(index)
        return found

    def _holds(self, key: str, dirty_ms: int) -> bool:
        return dirty_ms > 0 and self._registry.compare(key, dirty_ms) in ("same", "newer")

    def _register(self, item: Item, now: float) -> Response:
        if item.instance_info is None:
            return Response(UNREADABLE)
        self.take(item.instance_info, now, item.app_name)
        return Response(OK)

    def _renew(self, item: Item, key: str, now: float) -> Response:
        """Raises NotFound, BadInput."""
        standing = self._registry.compare(key, item.last_dirty_timestamp or 0)
        if standing == "older" and item.overridden_status not in (None, "", "UNKNOWN"):
            self._override(key, _status(item.overridden_status), 0, now)
        if standing in ("older", "unknown") or self._registry.renew(key, 0, now) == "unknown":
            return Response(UNKNOWN)
        if standing == "newer":
            return Response(NEWER, document.instance(self._registry.get(key)))
        return Response(OK)

    def _override(self, key: str, status: Status, dirty_ms: int, now: float) -> None:
        """Raises NotFound."""
        found = self._registry.get(key)
        if found.override == status and dirty_ms <= found.dirty_ms:
            self._registry.renew(key, 0, now)
        else:
            self._registry.override(key, status, dirty_ms, now)

    def _clear_override(self, key: str, now: float) -> None:
        """Raises NotFound."""
        if self._registry.get(key).override == "UNKNOWN":
            self._registry.renew(key, 0, now)
        else:
            self._registry.clear_override(key, now)


def _status(given: str | None) -> Status:
    """Raises BadInput."""
    if given not in STATE_OF:
        raise BadInput(f"status: expected one of {', '.join(STATE_OF)}, got {given!r}")
    return STATUS_OF[STATE_OF[given]]


class _App(msgspec.Struct):
    instance: list[msgspec.Raw] = []


class _Apps(msgspec.Struct):
    application: list[_App] = []


class _List(msgspec.Struct):
    applications: _Apps


_list = msgspec.json.Decoder(_List)


def listed(body: bytes) -> list[msgspec.Raw]:
    """The instances of a server's list, still in JSON: there may be many. Raises BadInput."""
    try:
        apps = _list.decode(body).applications.application
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f'list: expected {{"applications": {{"application": [...]}}}}: {error}') from error
    return [instance for app in apps for instance in app.instance]
