"""What of the registry somebody is shown who is not known: in views, and in the console."""

from __future__ import annotations

from typing import Any

from gateway.audience import hushed, internal, public
from gateway.console.unseen import Unseen
from gateway.console.words import Line
from gateway.explanation import GatewayWord, Heard, NodeWord
from gateway.policy import Policies
from gateway.snapshot import Settings
from shared.wire import Instance
from tests.fakes import an_instance
from tests.unit.test_gateway_upstreams import shown

HIDDEN = {"plexmesh.visibility": "internal"}
ORDERS = an_instance("orders", 9000)
VAULT = an_instance("vault", 9001, metadata=HIDDEN)
NAMED = an_instance("named", 9002)
SHOWN = an_instance("shown", 9003, metadata=HIDDEN)
UNROUTED = an_instance("launcher", 9004, metadata=HIDDEN)
SETTINGS = Settings(Policies({"named": {"visibility": "internal"}, "shown": {"visibility": "external"}}))


def test_the_configuration_has_the_last_word_of_what_is_internal() -> None:
    snapshot = shown(ORDERS, VAULT, NAMED, SHOWN, UNROUTED, settings=SETTINGS)
    assert internal(snapshot) == {"vault", "named", "launcher"}
    found = public(snapshot)
    assert set(found.upstreams) == {b"orders", b"shown"}
    assert {each.service for each in found.instances.values()} == {"orders", "shown"}
    assert set(found.endpoints) == {ORDERS.key, SHOWN.key}


def test_where_nothing_is_internal_it_is_the_same_snapshot() -> None:
    snapshot = shown(ORDERS)
    assert public(snapshot) is snapshot


def test_others_words_are_as_if_they_had_never_heard_of_it() -> None:
    heard = Heard([NodeWord("n", instances={"i": "UP"})], [GatewayWord("g", "LPAR2", views={})])
    assert hushed(heard) == Heard([NodeWord("n")], [GatewayWord("g", "LPAR2")])


# --- the console


def entry(instance: Instance) -> dict[str, Any]:
    return {"service": instance.service, "metadata": instance.metadata}


def document(**visibility: str | None) -> dict[str, dict[str, Any]]:
    services = {
        id: {"service": id, "routed": said is not None, "policy": {"visibility": said} if said else {}}
        for id, said in visibility.items()
    }
    found = {each.key: entry(each) for each in (ORDERS, VAULT, UNROUTED) if each.service in services}
    return {"services": services, "instances": found, "lpars": {"LPAR1": {}}}


def line(service: str) -> Line:
    return Line(id=service, time=0, lpar="", source="", kind="other", tone="plain", service=service, event="", text="")


def test_entries_and_lines_of_what_is_internal_are_not_sent() -> None:
    unseen = Unseen()
    whole = document(orders="", vault="internal", launcher=None)
    found = unseen.public(whole)
    assert set(found["services"]) == {"orders"}
    assert set(found["instances"]) == {ORDERS.key}
    assert found["lpars"] is whole["lpars"]
    assert unseen.public(whole) is found
    assert [each.service for each in unseen.told(map(line, ("orders", "vault", "", "launcher")))] == ["orders", ""]


def test_lines_about_it_stay_unseen_when_it_has_left_and_come_back_when_it_is_for_everybody() -> None:
    unseen = Unseen()
    unseen.public(document(vault="internal"))
    unseen.public(document(orders=""))
    assert unseen.told([line("vault")]) == []
    assert set(unseen.public(document(vault=""))["services"]) == {"vault"}
    assert len(unseen.told([line("vault")])) == 1
