"""What is visible of several logs."""

from hypothesis import given
from hypothesis import strategies as st

from discovery.record import DROPPED, LEFT, UP, Record
from discovery.space import Space
from discovery.view import View


def spaces(*origins: str) -> dict[str, Space]:
    return {origin: Space(origin) for origin in origins}


def record(key: str, rev: int = 1, state: int = UP, lease_s: int = 15, service: str = "orders") -> Record:
    return Record(service, key, 1, rev, 0, state, lease_s, b"")


def write(space: Space, saying: Record) -> None:
    space.write(saying, saying.rev)


def test_the_best_record_is_shown_and_changes_are_told() -> None:
    logs = spaces("A@1", "B@1")
    view = View(logs)
    write(logs["A@1"], record("a", rev=1))
    (first,) = view.update(["a"])
    assert (first.before, first.after and first.after[0]) == (None, "A@1")
    write(logs["B@1"], record("a", rev=2))
    (second,) = view.update(["a"])
    assert second.after is not None
    assert second.after[0] == "B@1"
    assert view.update(["a"]) == []


def test_an_expiry_here_does_not_outrank_a_live_lease_elsewhere() -> None:
    logs = spaces("A@1", "B@1")
    view = View(logs)
    write(logs["A@1"], record("a", rev=1))
    write(logs["B@1"], record("a", rev=9, state=DROPPED))
    view.update(["a"])
    assert "a" in view


def test_a_deregistration_anywhere_takes_it_away() -> None:
    logs = spaces("A@1", "B@1")
    view = View(logs)
    write(logs["A@1"], record("a", rev=9))
    view.update(["a"])
    write(logs["B@1"], record("a", rev=1, state=LEFT))
    (change,) = view.update(["a"])
    assert change.after is None
    assert view.services() == []


def test_orphans_are_hidden_lease_by_lease_and_shown_again() -> None:
    logs = spaces("A@1")
    view = View(logs)
    write(logs["A@1"], record("short", lease_s=10))
    write(logs["A@1"], record("long", lease_s=30))
    view.update(["short", "long"])
    view.update(view.hide("A@1", 10.5))
    assert "short" not in view
    assert "long" in view
    assert view.known("short") is not None
    assert view.hidden() == {"A@1": 10}
    assert view.hide("A@1", 29.0) == []
    assert view.shows("A@1")
    view.update(view.hide("A@1", 31.0))
    assert not view.shows("A@1")
    view.update(view.show("A@1"))
    assert "short" in view


def test_a_key_may_move_to_another_service() -> None:
    logs = spaces("A@1")
    view = View(logs)
    write(logs["A@1"], record("a", service="orders"))
    view.update(["a"])
    write(logs["A@1"], record("a", rev=2, service="mail"))
    view.update(["a"])
    assert view.services() == ["mail"]
    assert [held[1].key for held in view.of("mail")] == ["a"]


sayings = st.lists(
    st.tuples(
        st.sampled_from(["A@1", "B@1", "C@2"]),
        st.sampled_from("ab"),
        st.integers(1, 4),
        st.sampled_from([UP, LEFT, DROPPED]),
    ),
    max_size=20,
)


@given(sayings)
def test_updates_one_by_one_show_what_a_view_made_at_once_shows(said: list[tuple[str, str, int, int]]) -> None:
    logs = spaces("A@1", "B@1", "C@2")
    stepwise = View(logs)
    for origin, key, rev, state in said:
        write(logs[origin], record(key, rev, state))
        stepwise.update([key])
    at_once = View(logs)
    at_once.update("ab")
    assert {held[1] for held in stepwise.all()} == {held[1] for held in at_once.all()}
