"""What a client said of its instance, in plain words; packed, it is a record's `body`.

Field names are ours; `discovery.eureka` maps them to and from Eureka's dialects. Times are wall-clock milliseconds as
Eureka's clients give and expect them; nothing here is decided by them but the order of two registrations of one
instance (`dirty_ms`).
"""

from __future__ import annotations

import msgspec

from discovery.record import Record, Status, key_of
from shared.wire import Instance

DEFAULT_CLASS = "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"


class DataCenter(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str = "MyOwn"
    java_class: str = DEFAULT_CLASS
    metadata: dict[str, str] = {}


class Registration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`app` is upper case; `status` is the instance's own word, `override` an operator's over it (UNKNOWN: none)."""

    app: str
    instance: str
    host: str
    ip: str
    status: Status = "UP"
    override: Status = "UNKNOWN"
    port: int = 7001
    port_enabled: bool = True
    secure_port: int = 7002
    secure_port_enabled: bool = False
    country: int = 1
    data_center: DataCenter = DataCenter()
    renew_s: int = 30
    lease_s: int = 90
    metadata: dict[str, str] = {}
    home_page_url: str = ""
    status_page_url: str = ""
    health_check_url: str = ""
    secure_health_check_url: str = ""
    vip: str = ""
    secure_vip: str = ""
    app_group: str = ""
    asg: str = ""
    dirty_ms: int = 0
    registered_ms: int = 0
    up_ms: int = 0
    updated_ms: int = 0
    registrant: str = ""
    """The distinguished name on the certificate of who has registered it; empty: nobody has shown one."""

    @property
    def service(self) -> str:
        return self.app.lower()

    @property
    def key(self) -> str:
        return key_of(self.service, self.instance)

    @property
    def effective(self) -> Status:
        return effective(self.status, self.override)

    def seen_by_watchers(self, owner: str, gen: int, rev: int) -> Instance:
        secure = self.secure_port_enabled
        return Instance(
            service=self.service,
            instance=self.instance,
            status=self.effective,
            owner=owner,
            gen=gen,
            rev=rev,
            host=self.host,
            ip=self.ip,
            port=self.secure_port if secure else self.port,
            secure=secure,
            lease_s=self.lease_s,
            home_page_url=self.home_page_url,
            status_page_url=self.status_page_url,
            health_check_url=(self.secure_health_check_url if secure else "") or self.health_check_url,
            metadata=self.metadata,
        )


def effective(status: Status, override: Status) -> Status:
    """An operator's word holds over UP and OUT_OF_SERVICE; an instance that says it cannot serve is believed."""
    return override if override != "UNKNOWN" and status in ("UP", "OUT_OF_SERVICE") else status


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Registration)


def pack(registration: Registration) -> bytes:
    return bytes(memoryview(_encoder.encode(registration)))  # the encoder's own bytes keep the room it began with


def unpack(body: bytes) -> Registration:
    return _decoder.decode(body)


def readable(record: Record) -> bool:
    """Whether a record's body can be unpacked; a peer of another build may write what this one cannot read."""
    try:
        unpack(record.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
