"""All files together: which definition holds where two speak of one instance, or of one service's metadata.

Of an instance the first holds, in the order of the files, since one that another takes the place of would come and go;
of rules the last, as in Zowe. Either way it is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from discovery.registration import Registration
from discovery.zowe.additional import Rule
from discovery.zowe.definitions import Definitions
from discovery.zowe.refusal import Refusal


class Source(NamedTuple):
    file: str
    line: int


class Collection(NamedTuple):
    """`instances` by key, `rules` by service id, `sources` of instances by key."""

    instances: Mapping[str, Registration] = {}
    rules: Mapping[str, Rule] = {}
    sources: Mapping[str, Source] = {}
    refusals: tuple[Refusal, ...] = ()


def collect(files: Iterable[tuple[str, Definitions]]) -> Collection:
    instances: dict[str, Registration] = {}
    sources: dict[str, Source] = {}
    rules: dict[str, tuple[Rule, Source]] = {}
    refusals: list[Refusal] = []
    for file, definitions in files:
        refusals += definitions.refusals
        for registration, line in definitions.instances:
            if registration.key in instances:
                first = sources[registration.key]
                refusals.append(_double(file, line, registration.instance, first, "the first one holds"))
                continue
            instances[registration.key] = registration
            sources[registration.key] = Source(file, line)
        for rule, line in definitions.additions:
            if rule.service in rules:
                refusals.append(_double(file, line, rule.service, rules[rule.service][1], "the last one holds"))
            rules[rule.service] = rule, Source(file, line)
    return Collection(instances, {name: rule for name, (rule, _) in rules.items()}, sources, tuple(refusals))


def _double(file: str, line: int, name: str, first: Source, holds: str) -> Refusal:
    return Refusal(file, line, f"{name!r} is there already, at {first.file}:{first.line}, expected once; {holds}")
