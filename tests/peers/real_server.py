"""Real Eureka servers (Spring Cloud's, built from eureka-server/) as processes, each with an address of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.integration.launcher_rig import poll

JAR = Path(__file__).with_name("eureka-server") / "target" / "eureka-server.jar"
PORT = 8761
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx160m", "-jar", str(JAR)]
STARTS_IN_S = 60.0
OWN_APPS = ("EUREKA", "DISCOVERY")


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    place: tuple[str, int], method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Reply:
    """One request on a connection of its own; a body is sent as JSON unless it is bytes. Raises as http.client does."""
    fields = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        fields.setdefault("Content-Type", "application/json")
    with contextlib.closing(http.client.HTTPConnection(*place, timeout=10)) as connection:
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


class RealServer:
    """`peers` are service URLs; without any it is its own only one. `options` are Spring properties."""

    def __init__(
        self, folder: Path, host: str, *peers: str, register: bool = False, fetch: bool = False, **options: Any
    ):
        self.host = host
        self.place = (host, PORT)
        self.url = f"http://{host}:{PORT}/eureka/"
        self.log = folder / f"eureka-{host}.log"
        self._options = [
            f"--server.address={host}",
            f"--server.port={PORT}",
            f"--self.register={json.dumps(register)}",
            f"--self.fetch={json.dumps(fetch)}",
            *([f"--peers={','.join(peers)}"] if peers else []),
            *(f"--{name.replace('__', '.').replace('_', '-')}={value}" for name, value in options.items()),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # A proxy of the machine's is not for loopback addresses.
        environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*JAVA, *self._options], stdout=log, stderr=log, env=environ)

    def awaited(self) -> RealServer:
        poll(f"the server at {self.host} answers", self.ready, STARTS_IN_S)
        return self

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        try:
            return self.call("GET", "apps").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """`path` below /eureka/."""
        return call(self.place, method, f"/eureka/{path}", body, {"Accept": "application/json", **headers})


def listed(place: tuple[str, int]) -> dict[str, dict[str, Any]]:
    """`APP/id` → the instance's document, at a server of whichever make; the servers' own instances are left out."""
    apps = call(place, "GET", "/eureka/apps", headers={"Accept": "application/json"}).json["applications"]
    found = (each for app in apps["application"] if app["name"] not in OWN_APPS for each in app["instance"])
    return {f"{each['app']}/{each['instanceId']}": each for each in found}


@contextmanager
def running(*servers: RealServer) -> Iterator[None]:
    """Start them one after another (each takes seconds of a core); kill them at the end."""
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.awaited()
        yield
    finally:
        for server in servers:
            server.kill()


def instance(app: str, id: str, /, **fields: Any) -> dict[str, Any]:
    """A register body."""
    plain = {
        "instanceId": id,
        "hostName": "h.test",
        "app": app,
        "ipAddr": "192.0.2.1",
        "status": "UP",
        "overriddenStatus": "UNKNOWN",
        "port": {"$": 8080, "@enabled": "true"},
        "securePort": {"$": 8443, "@enabled": "false"},
        "countryId": 1,
        "dataCenterInfo": {
            "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo",
            "name": "MyOwn",
        },
        "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 90},
        "metadata": {"zone": "north"},
        "vipAddress": app.lower(),
    }
    return {"instance": {name: value for name, value in (plain | fields).items() if value is not ...}}
