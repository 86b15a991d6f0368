"""A register body, JSON or XML, → Registration.

Clients are sloppy and all are served: ports as `{"$": n, "@enabled": bool or text}` or as a bare number, booleans and
numbers as text, absent stamps, `lastDirtyTimestamp` 0 meaning none, lower-case apps, metadata with numbers in it. What
cannot be understood is refused naming the field, the value, and what was expected.

Not here: the syntax of XML (`discovery.eureka.decode_xml`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from discovery.eureka.decode_xml import fields
from discovery.record import STATE_OF, STATUS_OF, Status
from discovery.registration import DEFAULT_CLASS, DataCenter, Registration
from shared.errors import BadInput

MAX_LEASE_S = 2_147_483
DATA_CENTERS = ("Netflix", "Amazon", "MyOwn")


class Unparsable(BadInput):
    """It is not what its type says, as a whole."""

    def __init__(self, why: object) -> None:
        super().__init__(f"cannot parse request body: {why}")


class Unsupported(BadInput):
    status = 415


def decode(body: bytes, content_type: str, app: str) -> Registration:
    """`content_type` is lower case and without parameters; where it is empty, the body's first character tells. `app`
    is the one in the path; the body's must be the same. Raises BadInput, Unparsable, Unsupported."""
    if "json" in content_type or (not content_type and not body.lstrip().startswith(b"<")):
        return decode_json(body, app)
    if "xml" in content_type or not content_type:
        return decode_xml(body, app)
    raise Unsupported(f"Content-Type: {content_type!r}, expected application/json or application/xml")


def decode_json(body: bytes, app: str) -> Registration:
    """Raises BadInput, Unparsable."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unparsable(error) from error
    instance = document.get("instance") if isinstance(document, dict) else None
    if not isinstance(instance, dict):
        raise Unparsable('expected {"instance": {...}}')
    return registration(instance, app)


def decode_xml(body: bytes, app: str) -> Registration:
    """Raises BadInput, Unparsable."""
    try:
        instance = fields(body)
    except ValueError as error:
        raise Unparsable(error) from error
    return registration(instance, app)


def registration(instance: Mapping[str, Any], app: str) -> Registration:
    """From an instance's fields as JSON has them. Raises BadInput."""
    return _Fields(instance).registration(app)


def status(value: object) -> Status:
    """Eureka's rule: an absent status is UP, an unknown word UNKNOWN."""
    if value in (None, ""):
        return "UP"
    return STATUS_OF[STATE_OF.get(str(value), STATE_OF["UNKNOWN"])]


class _Fields:
    def __init__(self, instance: Mapping[str, Any]) -> None:
        self.of = instance

    def registration(self, app: str) -> Registration:
        center = self.data_center()
        host = self.text("hostName")
        instance = self.text("instanceId") or center.metadata.get("instance-id", "") or host
        said_app = self.text("app")
        for name, value in (
            ("instanceId", instance),
            ("hostname", host),
            ("ip address", self.text("ipAddr")),
            ("appName", said_app),
        ):
            if not value:
                raise BadInput(f"Missing {name}")
        if "/" in said_app:
            raise BadInput(f"appName: {said_app!r}, expected a name without '/'")
        if said_app.upper() != app.upper():
            raise BadInput(f"Mismatched appName, expecting {app} but was {said_app}")
        port, port_enabled = self.port("port", 7001, True)
        secure_port, secure_enabled = self.port("securePort", 7002, False)
        lease = self.mapping("leaseInfo")
        return Registration(
            app=app.upper(),
            instance=instance,
            host=host,
            ip=self.text("ipAddr"),
            status=status(self.of.get("status")),
            override=self.override(),
            port=port,
            port_enabled=port_enabled,
            secure_port=secure_port,
            secure_port_enabled=secure_enabled,
            country=self.number("countryId", self.of.get("countryId"), 1),
            data_center=center,
            renew_s=self.seconds("leaseInfo.renewalIntervalInSecs", lease.get("renewalIntervalInSecs"), 30),
            lease_s=self.seconds("leaseInfo.durationInSecs", lease.get("durationInSecs"), 90),
            metadata=self.strings("metadata"),
            home_page_url=self.text("homePageUrl"),
            status_page_url=self.text("statusPageUrl"),
            health_check_url=self.text("healthCheckUrl"),
            secure_health_check_url=self.text("secureHealthCheckUrl"),
            vip=self.text("vipAddress"),
            secure_vip=self.text("secureVipAddress"),
            app_group=self.text("appGroupName"),
            asg=self.text("asgName"),
            dirty_ms=max(self.number("lastDirtyTimestamp", self.of.get("lastDirtyTimestamp"), 0), 0),
        )

    def text(self, name: str) -> str:
        value = self.of.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, dict | list):
            raise BadInput(f"{name}: expected text, got {value!r}")
        return "" if value is None else str(value)

    def number(self, name: str, value: object, default: int) -> int:
        if type(value) is int:
            return value
        if value is None or value == "":
            return default
        try:
            return int(str(value))
        except ValueError as error:
            raise BadInput(f"{name}: expected a whole number, got {value!r}") from error

    def seconds(self, name: str, value: object, default: int) -> int:
        """Absent or not above zero: the default. Longer than Java can count: cut."""
        given = self.number(name, value, default)
        return min(given, MAX_LEASE_S) if given > 0 else default

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self.of.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise BadInput(f"{name}: expected an object, got {value!r}")
        return value

    def strings(self, name: str) -> dict[str, str]:
        """A string map; `@class` is Java's, numbers and booleans become text."""
        found = {}
        for key, value in self.mapping(name).items():
            if key == "@class" or value is None:
                continue
            if isinstance(value, dict | list):
                raise BadInput(f"{name}.{key}: expected text, got {value!r}")
            found[key] = str(value).lower() if isinstance(value, bool) else str(value)
        return found

    def port(self, name: str, default: int, enabled: bool) -> tuple[int, bool]:
        value = self.of.get(name)
        if value is None:
            return default, enabled
        if isinstance(value, dict):
            flag = value.get("@enabled", value.get("enabled", enabled))
            enabled = flag if isinstance(flag, bool) else str(flag).lower() == "true"
            value = value.get("$", default)
        number = self.number(name, value, default)
        if not 0 <= number < 65536:
            raise BadInput(f"{name}: expected a port from 0 to 65535, got {value!r}")
        return number, enabled

    def override(self) -> Status:
        given = self.of.get("overriddenStatus") or self.of.get("overriddenstatus")
        return status(given) if given else "UNKNOWN"

    def data_center(self) -> DataCenter:
        value = self.of.get("dataCenterInfo")
        if value is None:
            raise BadInput("Missing dataCenterInfo")
        if not isinstance(value, dict) or not value.get("name"):
            raise BadInput("Missing dataCenterInfo Name")
        name = str(value["name"])
        if name not in DATA_CENTERS:
            raise BadInput(f"dataCenterInfo.name: expected one of {', '.join(DATA_CENTERS)}, got {name!r}")
        metadata = _Fields(value).strings("metadata")
        return DataCenter(name, str(value.get("@class", DEFAULT_CLASS)), metadata)
