"""Eureka clients in Python and JavaScript, as their makers publish them, live through the same story in front of two
discovery nodes: they register, renew, see others, are overridden and forgotten by an operator, lose their node, and
leave.

All five live it at once, so the tests share what happens and run in the order they stand in.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import pytest

from tests.integration.discovery_rig import DiscoveryNode
from tests.integration.eureka_rig import LEASE_S, PROGRAMS, Client, Watch, ask, instance, listed, needs_javascript, pair
from tests.integration.launcher_rig import poll

HOSTS = [f"127.0.{third}.{os.getpid() % 250 + 1}" for third in (110, 111)]
AT_ONCE_S = 1.0
LONG_S = 2.5 * LEASE_S

# It catches exceptions that its HTTP library does not raise, and so never tries its second server.
LOYAL = "eurekapy"


class Story:
    def __init__(self, nodes: tuple[DiscoveryNode, DiscoveryNode], clients: dict[str, Client], watch: Watch) -> None:
        self.nodes, self.clients, self.watch = nodes, clients, watch
        self.began = time.monotonic()

    def passed(self, seconds: float) -> bool:
        return time.monotonic() - self.began > seconds

    def begin(self) -> None:
        """The next thing has happened."""
        self.began = time.monotonic()

    def never_missed(self, client: Client) -> bool:
        return client.key not in {key for _, key in self.watch.missing}

    def on_both(self, key: str, status: str | None = "UP", within_s: float = 5.0) -> None:
        poll(
            f"{key} is {status} on both", lambda: all(listed(node).get(key) == status for node in self.nodes), within_s
        )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("clients")
    clients: dict[str, Client] = {}
    with pair(folder, *HOSTS, snapshot_s=1) as nodes, contextlib.ExitStack() as over:
        for number, kind in enumerate(PROGRAMS):
            with contextlib.suppress(pytest.skip.Exception):  # its own tests are skipped
                clients[kind] = Client(folder, kind, f"Shop{number}", 9000 + number, *nodes, metadata={"zone": "north"})
                over.callback(clients[kind].kill)
        for client in clients.values():
            client.started()
        yield Story(nodes, clients, over.enter_context(Watch(*nodes)))


def named(story: Story, kind: str) -> Client:
    if kind == "eureka-js-client":
        needs_javascript()
    return story.clients[kind]


@pytest.fixture(params=PROGRAMS)
def client(story: Story, request: pytest.FixtureRequest) -> Client:
    return named(story, request.param)


def test_it_is_registered_on_both_nodes(story: Story, client: Client) -> None:
    story.on_both(client.key, within_s=AT_ONCE_S)
    story.watch.expected.add(client.key)


def test_it_stays_listed_for_many_leases(story: Story, client: Client) -> None:
    poll("many leases have passed", lambda: story.passed(LONG_S))
    assert story.never_missed(client)


def test_it_sees_itself_and_who_comes_changes_and_goes(story: Story, client: Client) -> None:
    other = story.nodes[1]  # not the node that it talks to
    key = f"OTHERS/next-to-{client.app}"
    path = f"/eureka/apps/{key}"
    assert ask(other, "POST", "/eureka/apps/OTHERS", instance("OTHERS", path.rpartition("/")[2]))[0] == 204
    client.sees(key, "UP")
    client.sees(client.key, "UP")
    assert ask(other, "PUT", f"{path}/status?value=DOWN")[0] == 200
    client.sees(key, "DOWN")
    assert ask(other, "DELETE", path)[0] == 200
    client.sees(key, None)


def test_an_operators_status_covers_its_own(story: Story, client: Client) -> None:
    assert ask(story.nodes[1], "PUT", f"/eureka/apps/{client.key}/status?value=OUT_OF_SERVICE")[0] == 200
    story.on_both(client.key, "OUT_OF_SERVICE", AT_ONCE_S)
    client.sees(client.key, "OUT_OF_SERVICE")
    story.begin()


def test_heartbeats_leave_the_operators_status_alone_until_it_is_cleared(story: Story, client: Client) -> None:
    poll("it has beaten for a lease", lambda: story.passed(LEASE_S))
    assert [listed(node)[client.key] for node in story.nodes] == ["OUT_OF_SERVICE"] * 2
    assert ask(story.nodes[1], "DELETE", f"/eureka/apps/{client.key}/status")[0] == 200
    story.on_both(client.key)
    client.sees(client.key, "UP")


def test_it_comes_back_when_it_was_deregistered_by_somebody_else(story: Story, client: Client) -> None:
    story.watch.expected.discard(client.key)
    assert ask(story.nodes[1], "DELETE", f"/eureka/apps/{client.key}")[0] == 200
    story.on_both(client.key)
    story.watch.expected.add(client.key)


@pytest.fixture(params=[kind for kind in PROGRAMS if kind != LOYAL])
def mobile(story: Story, request: pytest.FixtureRequest) -> Client:
    return named(story, request.param)


@pytest.fixture(scope="module")
def lost(story: Story) -> None:
    story.watch.expected.discard(story.clients[LOYAL].key)
    story.nodes[0].kill()
    story.begin()


@pytest.mark.usefixtures("lost")
def test_it_outlives_the_loss_of_its_node_by_far(story: Story, mobile: Client) -> None:
    poll("many leases have passed", lambda: story.passed(LONG_S))
    assert listed(story.nodes[1])[mobile.key] == "UP"
    assert story.never_missed(mobile)


@pytest.mark.usefixtures("lost")
def test_it_follows_what_happens_at_the_other_node(story: Story, mobile: Client) -> None:
    """One instance comes as another goes, so that the lists' hash stays: only the delta's version tells."""
    left = story.nodes[1]
    first, second = f"first-for-{mobile.app}", f"second-for-{mobile.app}"
    for id in ("anchor", first):
        assert ask(left, "POST", "/eureka/apps/SWAPPED", instance("SWAPPED", id))[0] == 204
    mobile.sees(f"SWAPPED/{first}", "UP")
    assert ask(left, "POST", "/eureka/apps/SWAPPED", instance("SWAPPED", second))[0] == 204
    assert ask(left, "DELETE", f"/eureka/apps/SWAPPED/{first}")[0] == 200
    mobile.sees(f"SWAPPED/{second}", "UP")
    mobile.sees(f"SWAPPED/{first}", None)


@pytest.fixture(scope="module")
def back(story: Story, lost: None) -> None:
    story.nodes[0].start()
    poll("it is ready", story.nodes[0].ready)


@pytest.mark.usefixtures("back")
def test_the_node_that_comes_back_knows_it_at_once_and_is_used_again(story: Story, mobile: Client) -> None:
    first = story.nodes[0]
    assert listed(first)[mobile.key] == "UP"
    assert story.never_missed(mobile)
    assert ask(first, "POST", "/eureka/apps/NEWS", instance("NEWS", f"for-{mobile.app}"))[0] == 204
    mobile.sees(f"NEWS/for-{mobile.app}", "UP")


@pytest.mark.usefixtures("back")
def test_the_one_that_knows_no_other_node_comes_back_with_its_own(story: Story) -> None:
    story.on_both(story.clients[LOYAL].key)


def test_it_leaves_both_nodes_at_once(story: Story, client: Client) -> None:
    story.watch.expected.discard(client.key)
    client.leave()
    story.on_both(client.key, None, AT_ONCE_S)
    story.watch.gone.add(client.key)
    story.begin()


def test_none_of_them_is_left_behind_as_a_ghost(story: Story) -> None:
    poll("their leases would have ended", lambda: story.passed(LEASE_S + 1))
    assert len(story.watch.gone) == len(story.clients)
    assert story.watch.rounds > 100
    assert story.watch.ghosts == []
    assert story.watch.missing == []
