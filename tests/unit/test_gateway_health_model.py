"""Whatever happens to a service, in simulated time: some instance can be called, and what was left out comes back."""

from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.health import LAST_RETRY_S, MAX_EJECTED, Changed, Effect, Health, Probe
from gateway.snapshot import Endpoint
from gateway.standing import Standing
from shared.wire import OwnerState
from tests.balancing import a_snapshot, an_endpoint

NUMBERS = st.integers(1, 5)
PAUSES = st.one_of(st.floats(0, 1), st.floats(1, 40), st.just(70.0))
OWNERS = ("LPAR1@1", "LPAR2@1")


class Instances(RuleBasedStateMachine):
    """What calls, probes and the registry say of up to five instances, in any order."""

    @initialize(numbers=st.sets(NUMBERS, min_size=1), seed=st.integers(0, 9))
    def begin(self, numbers: set[int], seed: int) -> None:
        self.now = 100.0
        self.health = Health(Random(seed))
        self.standings: dict[str, Standing] = {}
        self.endpoints: dict[int, Endpoint] = {}
        self.owners: dict[str, OwnerState] = {}
        self.asked: list[Endpoint] = []
        for number in numbers:
            self.endpoints[number] = self.an_endpoint(number, 1)
        self.adopt()

    def an_endpoint(self, number: int, gen: int) -> Endpoint:
        return an_endpoint(number, gen=gen, owner=OWNERS[number % 2])

    @property
    def group(self) -> tuple[Endpoint, ...]:
        return tuple(self.endpoints.values())

    def one(self, number: int) -> Endpoint:
        return self.group[number % len(self.endpoints)]

    def state(self, endpoint: Endpoint) -> str | None:
        record = self.health.records.get(endpoint.key)
        return None if record is None else record.state

    # --- what the shell does

    def adopt(self) -> None:
        for endpoint in self.group:
            known = self.standings.get(endpoint.key)
            if known is None or not known.endpoint.same_process(endpoint):
                self.standings[endpoint.key] = Standing(endpoint, self.now)
        self.perform(self.health.adopt(a_snapshot(*self.group, owners=self.owners), self.now))
        self.health.watch({each.key: 10.0 for each in self.group}, self.now)

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Probe):
                self.asked.append(effect.endpoint)
                continue
            assert isinstance(effect, Changed)
            assert effect.state == self.state(effect.endpoint), "what is told is so"
            if effect.state is None:
                self.standings[effect.endpoint.key].forgive()
            if effect.state == "ejected":
                self.check_ejection(effect.endpoint)

    def check_ejection(self, endpoint: Endpoint) -> None:
        known = [self.state(each) for each in self.group]
        assert known.count("ejected") <= max(1, int(len(known) * MAX_EJECTED))
        assert any(each in (None, "trial") for each in known), "never the last one"
        record = self.health.records[endpoint.key]
        assert 0.4 <= record.due - self.now <= LAST_RETRY_S * 1.2

    def pass_until(self, end: float) -> None:
        """The time comes as `next_deadline` asks for it, and never back."""
        for _ in range(2000):
            due = self.health.next_deadline()
            if due > end:
                break
            self.now = max(self.now, due)
            self.perform(self.health.tick(self.now))
            assert self.health.next_deadline() > self.now, "once is enough"
        else:
            raise AssertionError("it never rests")
        self.now = max(self.now, end)

    # --- what happens

    @rule(pause_s=PAUSES)
    def time_passes(self, pause_s: float) -> None:
        self.pass_until(self.now + pause_s)

    @rule(number=NUMBERS)
    def a_connect_is_refused(self, number: int) -> None:
        endpoint = self.one(number)
        self.perform(self.health.connect_failed(endpoint, "refused", self.now))
        assert self.state(endpoint) == "out", "at once, whatever others are"

    @rule(number=NUMBERS)
    def a_connect_succeeds(self, number: int) -> None:
        self.perform(self.health.connected(self.one(number)))

    @rule(number=NUMBERS, times=st.integers(1, 12), wait_s=st.sampled_from([0.0, 0.0, 3.0, 1e9]))
    def calls_fail(self, number: int, times: int, wait_s: float) -> None:
        standing = self.standings[self.one(number).key]
        for _ in range(times):
            standing.answered(self.now, 0.01, failed=True)
            self.perform(self.health.failed(standing, self.group, "503", self.now, wait_s))

    @rule(number=NUMBERS)
    def a_call_succeeds(self, number: int) -> None:
        standing = self.standings[self.one(number).key]
        standing.answered(self.now, 0.01)
        if self.state(standing.endpoint) == "trial":
            self.perform(self.health.succeeded(standing))
            assert self.state(standing.endpoint) is None

    @rule(number=NUMBERS)
    def it_is_doubted(self, number: int) -> None:
        self.perform(self.health.doubt(self.one(number), "silent", self.now))

    @precondition(lambda self: self.asked)
    @rule(which=st.integers(0, 50), why=st.sampled_from(["", "refused"]))
    def a_probe_ends(self, which: int, why: str) -> None:
        endpoint = self.asked.pop(which % len(self.asked))
        self.perform(self.health.probed(endpoint, why, self.now))

    @rule(number=NUMBERS)
    def it_registers_anew(self, number: int) -> None:
        old = self.endpoints.get(number)
        self.endpoints[number] = self.an_endpoint(number, old.gen + 1 if old else 1)
        self.adopt()
        assert old is None or self.state(self.endpoints[number]) is None, "a newer process has no past"

    @precondition(lambda self: len(self.endpoints) > 1)
    @rule(number=NUMBERS)
    def it_leaves(self, number: int) -> None:
        self.endpoints.pop(number, None)
        self.adopt()

    @rule(owner=st.sampled_from(OWNERS), state=st.sampled_from(["alive", "suspect", "dead"]))
    def an_owner_is_judged(self, owner: str, state: OwnerState) -> None:
        self.owners[owner] = state
        self.adopt()

    # --- what always holds

    @invariant()
    def some_can_be_called(self) -> None:
        candidates = self.health.view(self.group).candidates
        assert candidates
        assert {each.key for each in candidates} <= {each.key for each in self.group}

    @invariant()
    def the_best_rank_is_called(self) -> None:
        view = self.health.view(self.group)
        known = {self.state(each) for each in view.candidates}
        every = {self.state(each) for each in self.group}
        well = {None, "trial"}
        if every & well and not view.panic:
            assert known <= well
        elif "ejected" in every:
            assert known <= well | {"ejected"}
        elif "unproven" in every:
            assert known == {"unproven"}
        if every - {"out"}:
            assert "out" not in known

    @invariant()
    def records_are_of_what_is_known(self) -> None:
        known = {each.key: each for each in self.group}
        for key, record in self.health.records.items():
            assert key == record.endpoint.key
            assert known[key].same_process(record.endpoint)
            assert record.since <= self.now

    @invariant()
    def nothing_is_left_out_for_ever(self) -> None:
        for record in self.health.records.values():
            if record.state != "trial":
                assert record.probing or record.due <= self.now + LAST_RETRY_S * 1.2
            if record.probing:
                assert record.endpoint in self.asked, "an answer will come"

    def teardown(self) -> None:
        """All are well from now on: then all are called again."""
        if not hasattr(self, "now"):
            return
        for _ in range(3):
            for endpoint in self.asked:
                self.perform(self.health.probed(endpoint, "", self.now))
            self.asked.clear()
            self.pass_until(self.now + LAST_RETRY_S * 1.2)
        for endpoint in (*self.asked, *self.group):
            self.perform(self.health.probed(endpoint, "", self.now))
            self.perform(self.health.succeeded(self.standings[endpoint.key]))
        assert not self.health.records
        assert len(self.health.view(self.group).candidates) == len(self.group)


TestInstances = Instances.TestCase
TestInstances.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
