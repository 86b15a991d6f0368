"""What Java's clients send, as bytes: made before the clock starts."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

APPS = 100
DIRTY_MS = 1_790_000_000_000

JAVA = (
    "Accept: application/json\r\nAccept-Encoding: gzip\r\nDiscoveryIdentity-Name: DefaultClient\r\n"
    "DiscoveryIdentity-Version: 1.4\r\nDiscoveryIdentity-Id: 10.1.4.7\r\nX-Discovery-AllowRedirect: false\r\n"
    "User-Agent: Java-EurekaClient/v2.0.4\r\nHost: eureka.test:8761\r\nConnection: Keep-Alive\r\n"
)


def app_of(number: int) -> str:
    return f"APP{number % APPS:02d}"


def id_of(number: int) -> str:
    return f"host-{number}.example.test:app{number % APPS:02d}:8080"


def instance(number: int, app: str = "", dirty: int = 0, lease_s: int = 90) -> dict[str, Any]:
    """As Spring Cloud sends it: about 1.1 kB."""
    app = app or app_of(number)
    host = f"host-{number}.example.test"
    return {
        "instanceId": id_of(number),
        "app": app,
        "appGroupName": None,
        "ipAddr": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "sid": "na",
        "homePageUrl": f"http://{host}:8080/",
        "statusPageUrl": f"http://{host}:8080/actuator/info",
        "healthCheckUrl": f"http://{host}:8080/actuator/health",
        "secureHealthCheckUrl": None,
        "vipAddress": app.lower(),
        "secureVipAddress": app.lower(),
        "countryId": 1,
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "hostName": host,
        "status": "UP",
        "overriddenStatus": "UNKNOWN",
        "leaseInfo": {
            "renewalIntervalInSecs": 30,
            "durationInSecs": lease_s,
            "registrationTimestamp": 0,
            "lastRenewalTimestamp": 0,
            "evictionTimestamp": 0,
            "serviceUpTimestamp": 0,
        },
        "isCoordinatingDiscoveryServer": False,
        "lastUpdatedTimestamp": DIRTY_MS,
        "lastDirtyTimestamp": DIRTY_MS + dirty,
        "actionType": None,
        "asgName": None,
        "port": {"$": 8080, "@enabled": "true"},
        "securePort": {"$": 443, "@enabled": "false"},
        "metadata": {"management.port": "8080", "zone": "north", "apiml.routes.api-v1.gatewayUrl": "api/v1"},
    }


def register(number: int, app: str = "", dirty: int = 0, lease_s: int = 90) -> bytes:
    body = json.dumps({"instance": instance(number, app, dirty, lease_s)}, separators=(",", ":")).encode()
    return _post(app or app_of(number), "application/json", body)


def register_xml(number: int, dirty: int = 0) -> bytes:
    given = instance(number, dirty=dirty)
    texts = "".join(
        f"<{name}>{escape(str(value))}</{name}>"
        for name, value in given.items()
        if isinstance(value, str | int) and not isinstance(value, bool)
    )
    metadata = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in given["metadata"].items())
    body = (
        f'<instance>{texts}<port enabled="true">8080</port><securePort enabled="false">443</securePort>'
        f'<dataCenterInfo class="{given["dataCenterInfo"]["@class"]}"><name>MyOwn</name></dataCenterInfo>'
        "<leaseInfo><renewalIntervalInSecs>30</renewalIntervalInSecs><durationInSecs>90</durationInSecs></leaseInfo>"
        f"<metadata>{metadata}</metadata></instance>"
    ).encode()
    return _post(app_of(number), "application/xml", body)


def beat(number: int, app: str = "", dirty: int = 0) -> bytes:
    query = f"status=UP&lastDirtyTimestamp={DIRTY_MS + dirty}"
    path = f"/eureka/apps/{app or app_of(number)}/{id_of(number)}?{query}"
    return f"PUT {path} HTTP/1.1\r\n{JAVA}Content-Length: 0\r\n\r\n".encode()


def leave(number: int, app: str = "") -> bytes:
    return f"DELETE /eureka/apps/{app or app_of(number)}/{id_of(number)} HTTP/1.1\r\n{JAVA}\r\n".encode()


def delta() -> bytes:
    return f"GET /eureka/apps/delta HTTP/1.1\r\n{JAVA}\r\n".encode()


def guards() -> bytes:
    return b"GET /v1/guards HTTP/1.1\r\nHost: x\r\n\r\n"


def apps(media: str, packed: bool = False, path: str = "apps/") -> bytes:
    more = "Accept-Encoding: gzip\r\n" if packed else ""
    return f"GET /eureka/{path} HTTP/1.1\r\nHost: x\r\nAccept: {media}\r\n{more}\r\n".encode()


def _post(app: str, media: str, body: bytes) -> bytes:
    head = f"POST /eureka/apps/{app} HTTP/1.1\r\n{JAVA}Content-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
