"""A discovery node's numbers for Prometheus, read from the node when asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from discovery import clock
from discovery.driver import Driver
from discovery.eureka.outbox import Loss
from discovery.eureka.replicator import EurekaPeer
from discovery.record import STATUS_OF
from discovery.snapshots import Snapshots
from discovery.traffic import Traffic
from discovery.watch import Watch

PREFIX = "plexmesh_discovery_"

STATES = ("alive", "suspect", "dead", "left", "unmet")
"""Of a peer; `unmet`: an address at which nobody has answered yet."""

LOSSES: tuple[Loss, ...] = ("overflow", "expired", "refused")


class NodeMetrics(Collector):
    def __init__(self, driver: Driver, watch: Watch, traffic: Traffic, snapshots: Snapshots) -> None:
        self._driver = driver
        self._watch = watch
        self._traffic = traffic
        self._snapshots = snapshots

    def collect(self) -> Iterator[Metric]:
        yield from self._registry()
        yield from self._mesh()
        yield from self._messages()
        yield from self._process()

    def _registry(self) -> Iterator[Metric]:
        node = self._driver.node
        statuses = Counter(STATUS_OF[record.state] for _, record in node.view.all())
        yield _by(
            "instances", "Visible instances by status", "status", {each: statuses[each] for each in STATUS_OF.values()}
        )
        yield _gauge("leases", "Leases this node owns", node.leases)
        yield _gauge("watchers", "Open watch streams", len(self._watch))
        yield _gauge("covered", "1 when lists are served", node.covered)
        yield _gauge("stale", "1 while something served comes from disk and no peer has confirmed it", node.stale)
        quarantined = self._driver.said["record.quarantined"]
        yield _count("quarantined_records", "Records of peers that could not be read", quarantined)
        guards = {guard.name: float(guard.on) for guard in node.guards(clock.now())}
        yield _by("guard", "1 while a guard is on; /v1/guards says why", "guard", guards)

    def _mesh(self) -> Iterator[Metric]:
        node = self._driver.node
        states: Counter[str] = Counter(peer.state or "unmet" for peer in node.peers())
        yield _by("peers", "Peers by this node's judgement", "state", {each: states[each] for each in STATES})
        yield _gauge("health_score", "How much this node doubts itself, 0 to 8", node.health_score)
        yield _gauge("logs", "Origins whose log this node holds", len(node.spaces))

    def _messages(self) -> Iterator[Metric]:
        traffic = self._traffic
        for name, text, counts in (
            ("messages", "Messages between nodes; out: this node asked, in: it was asked", traffic.messages.items()),
            ("message_sent_bytes", "Bytes of their bodies that this node sent", traffic.sent_bytes.items()),
            ("message_received_bytes", "Bytes of their bodies that this node received", traffic.received_bytes.items()),
        ):
            yield _counts(name, text, ["direction", "kind"], counts)
        yield _counts(
            "message_failures", "Calls to peers without an answer of use", ["kind", "how"], traffic.failures.items()
        )
        denied = [((each,), count) for each, count in traffic.denied.items()]
        yield _counts("messages_denied", "Requests on the peer path that were not let in", ["why"], denied)
        yield _count("messages_unreadable", "Authentic messages that this node cannot take", traffic.unreadable)

    def _process(self) -> Iterator[Metric]:
        yield _gauge("lag_seconds", "By how much the last deadline was missed", self._driver.lag_s)
        yield _gauge("lag_max_seconds", "The most so far", self._driver.worst_lag_s)
        yield _gauge(
            "snapshot_age_seconds", "Since the disk was known to be up to date; -1: not yet", self._snapshots.age_s
        )
        yield _gauge("snapshot_bytes", "Size of the snapshot written last", self._snapshots.written_bytes)
        yield _count("snapshot_failures", "Snapshots that could not be written", self._snapshots.failures)
        yield _gauge("snapshot_failing", "1 while snapshots cannot be written", self._snapshots.failing)


class EurekaPeerMetrics(Collector):
    """How this node's real Eureka servers are told what its clients say; none configured: nothing is shown."""

    def __init__(self, peers: Callable[[], list[EurekaPeer]]) -> None:
        self._peers = peers

    def collect(self) -> Iterator[Metric]:
        peers = self._peers()
        yield _by("eureka_peer_up", "1 while it answers", "peer", {each.url: each.state == "up" for each in peers})
        yield _by(
            "eureka_peer_queued", "Sayings it is still to be told", "peer", {each.url: each.queued for each in peers}
        )
        yield _counts(
            "eureka_peer_batches", "Batches it has taken", ["peer"], [((each.url,), each.batches) for each in peers]
        )
        yield _counts("eureka_peer_items", "Sayings in them", ["peer"], [((each.url,), each.items) for each in peers])
        yield _counts(
            "eureka_peer_dropped",
            "Sayings that were given up",
            ["peer", "why"],
            [((each.url, why), each.dropped.get(why, 0)) for each in peers for why in LOSSES],
        )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value)


def _count(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value)


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    gauge = GaugeMetricFamily(PREFIX + name, text, labels=[label])
    for value, number in values.items():
        gauge.add_metric([value], number)
    return gauge


def _counts(name: str, text: str, labels: list[str], counts: Iterable[tuple[tuple[str, ...], int]]) -> Metric:
    counter = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for values, count in counts:
        counter.add_metric(list(values), count)
    return counter
