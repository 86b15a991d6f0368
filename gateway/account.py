"""What is kept of an exchange when it is over: counts, and a record in the access log.

Counting is done at every exchange; a record is made for those that the log samples.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.access_log import AccessLog
from gateway.access_records import AccessRecord
from gateway.forwarding import Ids
from gateway.meters import CUT, Meters, RouteMeter

if TYPE_CHECKING:
    from gateway.exchange import Exchange

USER_AGENT = re.compile(rb"(?:\A|\n)user-agent:[ \t]*([^\r]*)", re.IGNORECASE)
REFERER = re.compile(rb"(?:\A|\n)referer:[ \t]*([^\r]*)", re.IGNORECASE)


class Account:
    def __init__(self, meters: Meters, access: AccessLog, ids: Ids) -> None:
        self._meters = meters
        self._access = access
        self._sampling = access.sampling
        self._ids = ids
        self._of: dict[bytes | str, RouteMeter] = {}
        """By a route's prefix; by service for what took none of its routes."""

    def renew(self) -> None:
        """Routes or services may have gone, and their meters with them."""
        self._of.clear()

    def settle(self, exchange: Exchange, status: int, reason: str, now: float) -> None:
        """It is over. `status` is that of the answer's head, 0 when it broke off."""
        key = exchange.route.prefix or exchange.upstream.service
        meter = self._of.get(key) or self._meter(exchange)
        answered_at = exchange.first_byte_at if status == 101 else now  # how long a tunnel is open is no latency
        meter.answered(status // 100 or CUT, answered_at - exchange.started)
        meters = self._meters
        meters.sent_bytes += exchange.relay.moved_bytes - exchange.relayed_before
        if exchange.body_bytes:
            meters.received_bytes += exchange.body_bytes
        sampling = self._sampling
        if sampling.skip and 0 < status < 500:
            sampling.skip -= 1
        else:
            self._access.add(self._record(exchange, status, reason, now))

    def _meter(self, exchange: Exchange) -> RouteMeter:
        route, service = exchange.route, exchange.upstream.service
        meter = self._of[route.prefix or service] = self._meters.meter(service, route.prefix)
        return meter

    def _record(self, exchange: Exchange, status: int, reason: str, now: float) -> AccessRecord:
        fields, client = exchange.fields, exchange.client
        agent, referer = USER_AGENT.search(client.block), REFERER.search(client.block)
        called = exchange.tries > 0
        return AccessRecord(
            began=exchange.started,
            client=client.peer,
            method=exchange.method,
            target=client.target if exchange.method else b"",
            minor=fields.facts.minor,
            status=status,
            received_bytes=exchange.body_bytes,
            sent_bytes=exchange.relay.moved_bytes - exchange.relayed_before,
            seconds=now - exchange.started,
            first_byte_s=exchange.first_byte_at - exchange.started if exchange.status else -1,
            service=exchange.upstream.service,
            route=exchange.route.prefix,
            instance=exchange.endpoint.path_name if called else b"",
            tries=exchange.tries,
            reason=reason,
            request_id=fields.request_id or self._ids.request_id(exchange.number),
            trace_id=fields.trace[3:35] or self._ids.trace_id(exchange.number),
            user_agent=agent[1] if agent else b"",
            referer=referer[1] if referer else b"",
        )
