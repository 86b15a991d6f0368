"""The brake on guessing."""

from __future__ import annotations

from gateway.login.guard import FIRST_S, FORGOTTEN_S, FREE, FREE_OF_ADDRESS, LONGEST_S, Guard

HERE, THERE = "127.0.0.1", "10.0.0.9"


def failing(guard: Guard, times: int, user: str = "ada", address: str = HERE, now: float = 0.0) -> None:
    for _ in range(times):
        guard.failed(user, address, now)


def test_the_first_failures_cost_nothing_then_each_costs_twice_as_much_up_to_a_bound() -> None:
    guard, now = Guard(), 0.0
    waits = []
    for _ in range(FREE + 12):
        waits.append(guard.wait_s("ada", HERE, now))
        now += waits[-1]
        assert guard.wait_s("ada", HERE, now) == 0  # who waits as long as he is told is let in
        guard.failed("ada", HERE, now)
    assert waits[:FREE] == [0.0] * FREE
    assert waits[FREE : FREE + 4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert waits[-1] == LONGEST_S


def test_upper_and_lower_case_are_one_user_and_others_are_let_in() -> None:
    guard = Guard()
    failing(guard, FREE)
    assert guard.wait_s("ADA", HERE, 0.0) > 0
    assert guard.wait_s("bob", HERE, 0.0) == 0


def test_success_forgets_the_users_failures() -> None:
    guard = Guard()
    failing(guard, FREE - 1)
    guard.succeeded("Ada")
    failing(guard, FREE - 1)
    assert guard.wait_s("ada", HERE, 0.0) == 0


def test_failures_are_forgotten_after_some_peace() -> None:
    guard = Guard()
    failing(guard, FREE + 20)
    failing(guard, 1, now=FORGOTTEN_S + 1)
    assert guard.wait_s("ada", HERE, FORGOTTEN_S + 1) == 0


def test_an_address_that_tries_many_names_waits_and_success_does_not_free_it() -> None:
    guard = Guard()
    for n in range(FREE_OF_ADDRESS):
        guard.failed(f"user{n}", THERE, 0.0)
    guard.succeeded("mine")
    assert guard.wait_s("mine", THERE, 0.0) > 0
    assert guard.wait_s("mine", "10.0.0.10", 0.0) == 0


def test_this_machine_is_never_one_client() -> None:
    guard = Guard()
    for address in ("127.0.0.1", "127.0.2.1", "::1", "::ffff:127.0.0.1", ""):
        for n in range(3 * FREE_OF_ADDRESS):
            guard.failed(f"user{n}", address, 0.0)
        assert guard.wait_s("other", address, 0.0) == 0


def test_a_line_with_ipv6_is_one_client_whatever_address_it_takes() -> None:
    guard = Guard()
    for n in range(FREE_OF_ADDRESS):
        guard.failed(f"user{n}", f"2001:db8:1:2::{n:x}", 0.0)
    assert guard.wait_s("other", "2001:db8:1:2:ffff::1", 0.0) > 0
    assert guard.wait_s("other", "2001:db8:1:3::1", 0.0) == 0


def test_what_is_remembered_is_bounded() -> None:
    guard = Guard(remembered=10)
    failing(guard, FREE)
    for n in range(9):
        guard.failed(f"user{n}", HERE, 0.0)
    assert guard.wait_s("ada", HERE, 0.0) > 0  # asking keeps it in mind
    for n in range(100):
        guard.failed(f"other{n}", HERE, 0.0)
    assert len(guard._users._counts) == 10
