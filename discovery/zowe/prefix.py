"""Services whose ids begin with an old prefix go by a new one: app, virtual addresses, and the service's part of ids.

The client knows nothing of it: it renews and cancels by the old names, so they are replaced in what it asks for, too.
Prefixes are compared without regard to case. An instance id is `host:serviceId:port`; one without colons is taken for a
service id. A name that begins with the new prefix already is left alone, so that it may be asked for by either name;
Zowe would replace it again where the new prefix begins with the old one.

Source: Zowe's `apiml.discovery.serviceIdPrefixReplacer`, "old,new", where each may end in an asterisk.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from discovery.registration import Registration
from shared.errors import ConfigError

_SETTING = re.compile(r"\s*([A-Za-z0-9-]+)\*?\s*,\s*([A-Za-z0-9-]+)\*?\s*")


class Prefix(NamedTuple):
    """`old` is in lower case."""

    old: str
    new: str

    def renamed(self, given: Registration) -> Registration:
        app, instance = self.names(given.app, given.instance)
        if app == given.app:
            return given
        return msgspec.structs.replace(
            given,
            app=app,
            instance=instance,
            vip=self._each(given.vip),
            secure_vip=self._each(given.secure_vip),
            app_group=self._replaced(given.app_group),
        )

    def names(self, app: str, instance: str) -> tuple[str, str]:
        """What an instance goes by that calls itself this."""
        if self._replaced(app) == app:
            return app, instance
        return self._replaced(app).upper(), self._in_id(instance)

    def _in_id(self, instance: str) -> str:
        host, colon, rest = instance.partition(":")
        return f"{host}:{self._replaced(rest)}" if colon else self._replaced(instance)

    def _each(self, addresses: str) -> str:
        return ",".join(self._replaced(each) for each in addresses.split(","))

    def _replaced(self, name: str) -> str:
        old = name.lower().startswith(self.old) and not name.lower().startswith(self.new)
        return self.new + name[len(self.old) :] if old else name


def parse(setting: str) -> Prefix | None:
    """None: nothing is replaced. Raises ConfigError."""
    if not setting:
        return None
    found = _SETTING.fullmatch(setting)
    if found is None or found[1].lower() == found[2].lower():
        raise ConfigError(
            f"service_id_prefix_replacer: {setting!r}, expected an old prefix and a new one, such as 'ca,bcm'"
        )
    return Prefix(found[1].lower(), found[2].lower())
