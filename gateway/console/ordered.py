"""What an order to an LPAR or a component has come to, in one line. Pure.

Source: the answers of `launcher.sysplex_api` and `launcher.api`. Raises Unavailable where an answer is none of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from shared import wire
from shared.errors import Unavailable

T = TypeVar("T", bound=msgspec.Struct)

WANTED: dict[str, wire.ComponentState] = {"pause": "paused", "resume": "ready", "stop": "stopped", "start": "ready"}


def lpar(action: str, answer: bytes) -> str:
    """ "LPAR2 is ready", or what in it is not."""
    done = _decoded(answer, wire.Lpar)
    if action == "kill":
        return f"{done.id} was killed: nothing of it runs"
    return _outcome(done.id, done.state, WANTED[action], done.components)


def component(lpar: str, action: str, answer: bytes) -> str:
    done = _decoded(answer, wire.Component)
    name = f"{done.name} of {lpar}"
    if action == "kill":
        return f"{name} was killed; its launcher starts it again"
    return _outcome(name, done.state, WANTED[action], [done])


def distributed(lpar: str, action: str, answer: bytes) -> str:
    active = ", ".join(_decoded(answer, wire.Distributor).active) or "nobody"
    return f"{lpar} {'is off' if action == 'quiesce' else 'may be on'} the sysplex address; on it: {active}"


def _outcome(
    name: str, state: wire.ComponentState, wanted: wire.ComponentState, parts: Iterable[wire.Component]
) -> str:
    if state == wanted:
        return f"{name} is {state}"
    others = [f"{each.name} is {each.state}{_why(each)}" for each in parts if each.state != wanted]
    return f"{name} is not {wanted} yet: {', '.join(others) or state}"


def _why(part: wire.Component) -> str:
    return f" ({'; '.join(part.why)})" if part.why else ""


def _decoded(answer: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"the order was given, and the answer cannot be read: {error}") from error
