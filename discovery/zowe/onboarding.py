"""What becomes of a registration that comes directly from a client, before it is stored.

`prepared` puts its metadata into today's words and adds what operators have said; `renamed` and `names` put another
prefix before its name. All of them give back what they got where there is nothing to do, and need no time.

What a peer or another Eureka server passes on has been through this where it came in.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from discovery.registration import Registration
from discovery.zowe.additional import Rule, applied
from discovery.zowe.prefix import Prefix
from discovery.zowe.translation import translated


class Onboarding:
    """`rules` are by service id, and replaced as a whole when definitions change."""

    def __init__(self, prefix: Prefix | None = None) -> None:
        self.rules: Mapping[str, Rule] = {}
        self._prefix = prefix

    def prepared(self, given: Registration) -> Registration:
        metadata = applied(self.rules.get(given.service), translated(given.service, given.metadata))
        return given if metadata is given.metadata else msgspec.structs.replace(given, metadata=metadata)

    def renamed(self, given: Registration) -> Registration:
        return self._prefix.renamed(given) if self._prefix else given

    def names(self, app: str, instance: str) -> tuple[str, str]:
        """What to look for when a client asks for this app and instance."""
        return self._prefix.names(app, instance) if self._prefix else (app, instance)
