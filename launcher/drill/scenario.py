"""A scenario: what load, which steps, what is expected. Data in YAML, so that anybody writes his own in ten lines.

    title: The gateway of an LPAR is frozen
    load: {rate: 200, new: 0.5, calls: {GET /sample/api/v1/hello: 80, POST /sample/api/v1/echo: 20}}
    steps:
      - wait: 5
      - pause: victim gateway
      - wait: 10
    expect:
      - failed: {methods: [GET], after: pause, after_s: 1.5, at_most: 0}

A step is an action and its argument: an LPAR, or an LPAR and a component. `victim` is the last LPAR of the sysplex and
`other` the first; a real name works too. `chaos` is drawn into steps by the seed. Expectations are in
`launcher.drill.expectation`.

Not here: doing a step (`steps`), making calls (`load`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from launcher.drill.expectation import EXPECTATIONS, Expectation
from shared.errors import ConfigError, nearest

FOLDER = Path(__file__).parent / "scenarios"

VICTIM, OTHER = "victim", "other"

TARGETS = ("local", "compose")

COMPONENT_ACTIONS = ("kill", "pause", "resume", "stop", "start")
LPAR_ACTIONS = ("partition", "heal", "silence")

DEFAULT_CALLS = {
    "GET /sample/api/v1/hello": 70.0,
    "POST /sample/api/v1/echo": 10.0,
    "PUT /sample/api/v1/echo": 5.0,
    "DELETE /sample/api/v1/echo": 5.0,
    "cache": 10.0,
}
"""`cache` is a write to the caching service through the gateway, which is read back at the end."""

CALL = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE) (/\S*)\Z")


class Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rate: float = 200.0
    """Calls a second, started on time whatever becomes of them."""
    new: float = 0.5
    """The share of calls on new connections."""
    calls: dict[str, float] = msgspec.field(default_factory=DEFAULT_CALLS.copy)
    """What is called: "METHOD path" or "cache", and its weight."""
    timeout_s: float = 5.0
    """A call that has no whole answer by then is cut."""

    def in_words(self) -> str:
        total = sum(self.calls.values())
        parts = ", ".join(f"{100 * weight / total:.0f} % {name}" for name, weight in self.calls.items())
        return f"{self.rate:g} calls a second, {100 * self.new:.0f} % of them on new connections: {parts}"


@dataclass(frozen=True)
class Step:
    action: str
    lpar: str = ""
    component: str = ""
    number: float = 0.0
    """Seconds of a wait, of a slow answer; instances of a storm."""

    def __str__(self) -> str:
        if self.action in ("until", "rolling", "deregister") and not self.lpar:
            return f"{self.action} {'ready' if self.action == 'until' else 'everything'}"
        number = f"{self.number:g}" if self.number else ""
        return " ".join(part for part in (self.action, self.lpar, self.component, number) if part)

    @property
    def marks(self) -> tuple[str, ...]:
        """What an expectation may call it: "kill", "kill gateway"."""
        return (self.action, f"{self.action} {self.component}") if self.component else (self.action,)

    @property
    def breaks(self) -> bool:
        """Whether it begins a new phase of the run: everything but waiting."""
        return self.action not in ("wait", "until")


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"targets": "for"}):
    """The file as it is written."""

    title: str
    steps: list[dict[str, Any]]
    expect: list[dict[str, Any]]
    about: str = ""
    load: Load = Load()
    targets: list[str] = msgspec.field(default_factory=lambda: list(TARGETS))
    control: dict[str, float] = {}


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    about: str
    load: Load
    steps: tuple[Step, ...]
    expect: tuple[Expectation, ...]
    targets: tuple[str, ...]
    control_wait: float
    """Waits of a control run are so many times as long: its timers are slower."""

    def play(self, names: Sequence[str], seed: int, stretch: float = 1.0) -> Iterator[Step]:
        """The steps for these LPARs. Raises ConfigError: they name one that is not there."""
        chance = random.Random(seed)
        for step in self.steps:
            if step.action == "chaos":
                yield from chaos(step.number, names, chance)
            elif step.action == "wait":
                yield Step("wait", number=step.number * stretch)
            else:
                yield _placed(step, names)


def names() -> list[str]:
    """The scenarios that come with plexmesh, in the order people should meet them."""
    return [line.split()[0] for line in (FOLDER / "order.txt").read_text().splitlines() if line]


def load(name: str) -> Scenario:
    """One of ours by its name, or a file. Raises ConfigError: what, where, what was expected."""
    known = FOLDER / f"{name}.yaml"
    path = known if known.is_file() else Path(name)
    if not path.is_file():
        raise ConfigError(f"there is no drill and no file {name!r}{nearest(name, names())}; see plexmesh drill --list")
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    return parse(tree, path.stem, str(path))


def parse(tree: object, name: str, where: str) -> Scenario:
    written = _converted(tree, _Written, where)
    for target in written.targets:
        if target not in TARGETS:
            raise ConfigError(f"{where}: for: {target!r}{nearest(target, TARGETS)}; expected {' or '.join(TARGETS)}")
    _check_load(written.load, f"{where}: load")
    steps = tuple(_step(each, f"{where}: steps[{n}]") for n, each in enumerate(written.steps))
    expect = tuple(_expectation(each, f"{where}: expect[{n}]") for n, each in enumerate(written.expect))
    _check_marks(steps, expect, where)
    unknown = set(written.control) - {"wait"}
    if unknown:
        raise ConfigError(f"{where}: control.{unknown.pop()}: unknown key; expected wait")
    return Scenario(
        name,
        written.title,
        " ".join(written.about.split()),
        written.load,
        steps,
        expect,
        tuple(written.targets),
        written.control.get("wait", 1.0),
    )


def chaos(seconds: float, names: Sequence[str], chance: random.Random) -> Iterator[Step]:
    """Something is broken and mended again and again; one thing at a time, so that a survivor is always left."""
    left_s = seconds
    while left_s > 0:
        lpar = chance.choice(list(names))
        component = chance.choice(["gateway", "discovery", "sample", "caching"])
        kind = chance.choice(["kill component", "kill component", "kill LPAR", "pause LPAR", "pause component"])
        hold_s = chance.uniform(2, 5)
        if kind == "kill component":
            yield Step("kill", lpar, component)
            yield Step("wait", number=hold_s)
        elif kind == "pause component":
            yield Step("pause", lpar, component)
            yield Step("wait", number=hold_s)
            if component != "gateway":  # that one is fenced, and started again
                yield Step("resume", lpar, component)
        else:
            broken, mended = ("kill", "start") if kind == "kill LPAR" else ("pause", "resume")
            yield Step(broken, lpar)
            yield Step("wait", number=hold_s)
            yield Step(mended, lpar)
        yield Step("until")
        rest_s = chance.uniform(1, 3)
        yield Step("wait", number=rest_s)
        left_s -= hold_s + rest_s


def _step(written: Mapping[str, Any], where: str) -> Step:
    if len(written) != 1:
        raise ConfigError(f"{where}: expected one action, such as {{kill: victim}}, got {dict(written)!r}")
    action, given = next(iter(written.items()))
    reader = _READERS.get(action)
    if reader is None:
        raise ConfigError(f"{where}: unknown action {action!r}{nearest(action, _READERS)}")
    return reader(action, given, f"{where}.{action}")


def _number(action: str, given: object, where: str) -> Step:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= 3600:
        raise ConfigError(f"{where}: expected a number from 0 to 3600, got {given!r}")
    return Step(action, number=given)


def _lpar_or_component(action: str, given: object, where: str) -> Step:
    words = str(given).split()
    if not isinstance(given, str) or not 1 <= len(words) <= 2:
        raise ConfigError(f"{where}: expected an LPAR, or an LPAR and a component, got {given!r}")
    return Step(action, words[0], words[1].lower() if len(words) == 2 else "")


def _lpar(action: str, given: object, where: str) -> Step:
    if not isinstance(given, str) or len(given.split()) != 1:
        raise ConfigError(f"{where}: expected an LPAR, got {given!r}")
    return Step(action, given)


def _slow(action: str, given: object, where: str) -> Step:
    words = str(given).split()
    if len(words) != 2 or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", words[1]):
        raise ConfigError(f"{where}: expected an LPAR and seconds, such as victim 2, got {given!r}")
    return Step(action, words[0], number=float(words[1]))


def _ready(action: str, given: object, where: str) -> Step:
    if given != "ready":
        raise ConfigError(f"{where}: expected ready, got {given!r}")
    return Step(action)


def _everything(action: str, given: object, where: str) -> Step:
    if given != "everything":
        raise ConfigError(f"{where}: expected everything, got {given!r}")
    return Step(action)


def _rolling(action: str, given: object, where: str) -> Step:
    if given == "everything":
        return Step(action)
    return _lpar_or_component(action, given, where)


_READERS = {
    "wait": _number,
    "until": _ready,
    **dict.fromkeys(COMPONENT_ACTIONS, _lpar_or_component),
    **dict.fromkeys(LPAR_ACTIONS, _lpar),
    "slow": _slow,
    "rolling": _rolling,
    "add": _lpar,
    "register": _number,
    "deregister": _everything,
    "chaos": _number,
}


def _expectation(written: Mapping[str, Any], where: str) -> Expectation:
    if len(written) != 1:
        raise ConfigError(f"{where}: expected one, such as {{failed: {{at_most: 0}}}}, got {dict(written)!r}")
    kind, given = next(iter(written.items()))
    if kind not in EXPECTATIONS:
        raise ConfigError(f"{where}: unknown expectation {kind!r}{nearest(kind, EXPECTATIONS)}")
    found: Expectation = _converted(given if given is not None else {}, EXPECTATIONS[kind], f"{where}.{kind}")
    return found


def _converted(tree: object, kind: type[Any], where: str) -> Any:
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from error


def _check_load(load: Load, where: str) -> None:
    if not 0 < load.rate <= 5000:
        raise ConfigError(f"{where}.rate: expected calls a second up to 5000, got {load.rate:g}")
    if not 0 <= load.new <= 1:
        raise ConfigError(f"{where}.new: expected a share from 0 to 1, got {load.new:g}")
    for call, weight in load.calls.items():
        if call != "cache" and not CALL.match(call):
            raise ConfigError(f'{where}.calls: expected "METHOD /path" or cache, got {call!r}')
        if weight < 0:
            raise ConfigError(f"{where}.calls.{call}: expected a weight from 0 up, got {weight:g}")
    if not sum(load.calls.values()) > 0:
        raise ConfigError(f"{where}.calls: nothing is called")


def _check_marks(steps: Sequence[Step], expect: Sequence[Expectation], where: str) -> None:
    """What an expectation counts from must be a step."""
    known = [mark for step in steps for mark in step.marks]
    for n, each in enumerate(expect):
        for mark in each.marks():
            if mark not in known and "chaos" not in known:
                raise ConfigError(f"{where}: expect[{n}]: there is no step {mark!r}{nearest(mark, known)}")


def _placed(step: Step, names: Sequence[str]) -> Step:
    if not step.lpar or step.action == "add":
        return step
    known = {VICTIM: names[-1], OTHER: names[0], **{name: name for name in names}}
    found = known.get(step.lpar) or known.get(step.lpar.upper())
    if found is None:
        raise ConfigError(f"{step}: there is no LPAR {step.lpar}{nearest(step.lpar, known)}")
    return Step(step.action, found, step.component, step.number)
