"""The console's document: what it is made of, and how two of them differ."""

from __future__ import annotations

from gateway.console import document
from gateway.console.document import Change, Document, Heard, NodeWord, Peer, change, settled
from gateway.console.history import History
from gateway.console.words import Line
from shared.wire import Component, Lpar
from tests.fakes import an_instance
from tests.unit.test_console_told import a_snapshot, a_told

SAMPLE = an_instance("sample", 7560, "127.0.2.1", lpar="LPAR2", owner="LPAR2@1")
GATEWAY = an_instance("gateway", 7554, "127.0.2.1", lpar="LPAR2", owner="LPAR2@1")
NODE = an_instance("discovery", 7553, "127.0.2.1", lpar="LPAR2", owner="LPAR2@1")
LAUNCHER = an_instance("launcher", 7550, "127.0.2.1", lpar="LPAR2", owner="LPAR2@1")
ALL = (SAMPLE, GATEWAY, NODE, LAUNCHER)


def a_glance(view: str, why: str = "") -> dict[str, object]:
    return {"view": view, "why": why}


def test_a_change_makes_the_one_of_the_other() -> None:
    before: Document = {"a": {"1": {"x": 1}, "2": {"x": 2}}, "b": {"1": {}}}
    after: Document = {"a": {"1": {"x": 1}, "3": {"x": 3}}, "c": {"": {"y": 0}}}
    found = change(before, after)
    assert found == Change({"a": {"3": {"x": 3}}, "c": {"": {"y": 0}}}, {"a": ["2"], "b": ["1"]})
    assert not change(after, after)
    assert not change({}, {})


def test_a_section_that_did_not_change_is_the_same_object() -> None:
    before = {"1": {"x": 1}, "2": {"x": 2}}
    assert settled({"1": {"x": 1}, "2": {"x": 2}}, before) is before
    kept = settled({"1": {"x": 1}, "2": {"x": 3}}, before)
    assert (kept["1"] is before["1"], kept["2"]) == (True, {"x": 3})
    assert settled({"1": {"x": 1}}, before) == {"1": {"x": 1}}


def test_what_the_registry_shows_of_an_lpar_without_a_launchers_word() -> None:
    silent = a_snapshot(*ALL, owners={"LPAR2@1": "suspect"})
    for snapshot, state in ((a_snapshot(*ALL), "ready"), (silent, "silent")):
        (entry,) = document.lpars(snapshot, Heard()).values()
        assert (entry["id"], entry["state"], entry["launcher"]) == ("LPAR2", state, "http://127.0.2.1:7550")
        parts = document.components(snapshot, Heard())
        assert set(parts) == {"LPAR2/gateway", "LPAR2/discovery", "LPAR2/launcher"}
        assert {each["state"] for each in parts.values()} == {state}
    assert document.components(silent, Heard())["LPAR2/gateway"]["why"] == "its discovery node is suspect"


def test_a_launchers_word_counts_more() -> None:
    failed = Component(name="gateway", state="failed", restarts=3, why=["exit code 1", "no such module"])
    heard = Heard(lpars={"LPAR2": Lpar(id="LPAR2", state="stopped", address="127.0.2.1", components=[failed])})
    snapshot = a_snapshot(*ALL)
    assert document.lpars(snapshot, heard)["LPAR2"]["state"] == "stopped"
    parts = document.components(snapshot, heard)
    assert (parts["LPAR2/gateway"]["state"], parts["LPAR2/gateway"]["why"]) == ("failed", "exit code 1; no such module")
    assert parts["LPAR2/launcher"]["state"] == "stopped"


def test_an_lpar_that_only_up_knows_is_shown() -> None:
    heard = Heard(lpars={"LPAR3": Lpar(id="LPAR3", state="stopped", address="127.0.3.1")})
    assert document.lpars(a_snapshot(), heard)["LPAR3"]["address"] == "127.0.3.1"


def test_gateways_and_nodes_that_answer_and_that_do_not() -> None:
    snapshot = a_snapshot(*ALL)
    unheard = document.gateways(snapshot, Heard())["LPAR2"]
    assert (unheard["reachable"], unheard["perS"]) == (None, None)
    samples = [a_told(0.0), a_told(2.0, calls=10, clients=3, on_address=True)]
    heard = Heard(
        gateways={"LPAR2": samples}, nodes={"LPAR2": NodeWord(4, [Peer("LPAR1@5", "dead"), Peer("", "unknown")])}
    )
    entry = document.gateways(snapshot, heard)["LPAR2"]
    assert (entry["reachable"], entry["perS"], entry["clients"]) == (True, 5.0, 3)
    assert document.lpars(snapshot, heard)["LPAR2"]["onAddress"] is True
    assert document.nodes(snapshot, heard)["LPAR2"]["peers"] == {"LPAR1": "dead"}
    gone = Heard(gateways={"LPAR2": "connection refused"}, nodes={"LPAR2": "silent"})
    assert document.gateways(snapshot, gone)["LPAR2"]["why"] == "connection refused"
    assert document.nodes(snapshot, gone)["LPAR2"]["reachable"] is False


def test_an_instance_has_the_worst_view_of_it() -> None:
    looks = {"LPAR1": a_glance("fine"), "LPAR2": a_glance("out", "refused"), "LPAR3": a_glance("ejected", "5 failed")}
    told = {lpar: [a_told(seen={SAMPLE.key: glance})] for lpar, glance in looks.items()}
    entry = document.instances(a_snapshot(*ALL), Heard(gateways={**told, "LPAR4": "silent", "LPAR5": []}))[SAMPLE.key]
    assert (entry["view"], entry["why"], entry["node"], entry["owner"]) == ("out", "refused", "LPAR2", "alive")
    assert entry["seen"] == looks
    unseen = document.instances(a_snapshot(*ALL), Heard())[SAMPLE.key]
    assert (unseen["view"], unseen["seen"]) == ("fine", {})


def a_line(id: str, time: float) -> Line:
    return Line(id=id, time=time, lpar="", source="gateway", kind="other", tone="info", event="x", text=id)


def test_each_line_is_kept_once_and_the_oldest_go_first() -> None:
    history = History(kept=3)
    assert [history.add(a_line(id, time)) for id, time in (("a", 3.0), ("b", 1.0), ("a", 3.0))] == [True, True, False]
    assert [each.id for each in history.since(0)] == ["b", "a"]
    assert [each.id for each in history.since(1)] == ["b"]
    history.add(a_line("c", 2.0))
    history.add(a_line("d", 0.0))
    assert [each.id for each in history.since(0)] == ["d", "b", "c"]
    assert history.since(history.came) == []
