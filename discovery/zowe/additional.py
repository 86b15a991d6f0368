"""What an operator adds to the metadata of services that register themselves.

UPDATE fills in what is missing, FORCE_UPDATE overwrites; a service has one rule. What a rule has added stays when the
rule goes, until the instance registers anew.

Source: Zowe's `additionalServiceMetadata`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Mode = Literal["UPDATE", "FORCE_UPDATE"]


class Rule(msgspec.Struct, frozen=True):
    """`service` is a service id, in lower case."""

    service: str
    mode: Mode
    metadata: dict[str, str]

    def missing(self, metadata: Mapping[str, str]) -> dict[str, str]:
        """What is to be added to this metadata, or changed in it."""
        if self.mode == "FORCE_UPDATE":
            return {key: value for key, value in self.metadata.items() if metadata.get(key) != value}
        return {key: value for key, value in self.metadata.items() if key not in metadata}


def applied(rule: Rule | None, metadata: dict[str, str]) -> dict[str, str]:
    missing = rule.missing(metadata) if rule is not None else {}
    return metadata | missing if missing else metadata
