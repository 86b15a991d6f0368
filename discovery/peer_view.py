"""A peer as people see it (`/v1/peers`): what this node holds of it, and how far it has this node's log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from discovery.link import Link
from discovery.membership import Membership
from discovery.messages import MemberState
from discovery.space import START, Position


@dataclass(frozen=True)
class PeerView:
    """`state` is None where nobody has answered yet; `lag`: changes of ours it has not acknowledged; `acked`: where it
    stands in each log; `suspected_by`: nodes whose probes of it failed; `elsewhere`: the same node, or this one, has
    another address."""

    address: str
    origin: str | None
    state: MemberState | None
    incarnation: int
    state_s: float
    suspected_by: tuple[str, ...]
    lag: int
    acked: dict[str, Position]
    elsewhere: bool
    seed: bool


def peer_views(links: Iterable[Link], membership: Membership, own: tuple[str, int], running_s: float) -> list[PeerView]:
    """`own`: this node's origin and the end of its log."""
    return [_view(link, membership, own, running_s) for link in links]


def _view(link: Link, membership: Membership, own: tuple[str, int], running_s: float) -> PeerView:
    member = membership.of(link.origin) if link.origin else None
    return PeerView(
        address=link.address,
        origin=link.origin,
        state=member.state if member else None,
        incarnation=member.incarnation if member else 0,
        state_s=running_s - member.since if member else 0.0,
        suspected_by=tuple(sorted(member.by)) if member else (),
        lag=own[1] - link.acked.get(own[0], START)[0],
        acked=dict(link.acked),
        elsewhere=link.elsewhere,
        seed=link.seed,
    )
