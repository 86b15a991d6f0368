"""A compose file on a real engine, and what its users and its registries say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from launcher import callers
from launcher.callers import Callers, Outcome

ROOT = Path(__file__).parents[2]
VIPA = "http://127.0.0.1:7554"
SECURE_VIPA = "https://127.0.0.1:7554"
HELLO = "/sample/api/v1/hello"
RATE = 50

on_an_engine = [
    pytest.mark.skipif(not os.environ.get("PLEXMESH_HA"), reason="needs a Docker engine; run it with make test-ha"),
    pytest.mark.timeout(300),
]


def run(*command: str, environ: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, env={**os.environ, **(environ or {})}
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"
    return done.stdout


@contextlib.contextmanager
def composed(*options: str, file: str = "compose.yaml", **environ: str) -> Iterator[None]:
    """Everything in that file runs; afterwards nothing of it is left."""
    compose = [*(["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]), "-f", file, *options]
    try:
        run(*compose, "up", "-d", "--build", environ=environ)
        yield
    finally:
        run(*compose, "down", "--volumes", "--timeout", "30", environ=environ)


def get(url: str, tls: ssl.SSLContext | None = None, **headers: str) -> str | None:
    """None while it does not answer, or not well."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=2, context=tls) as answer:
            return str(answer.read().decode())
    except OSError:
        return None


def send(method: str, url: str, body: object = None, **headers: str) -> int:
    """The status of the answer."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def lpars_answering(base: str = VIPA, calls: int = 20, tls: ssl.SSLContext | None = None) -> set[str]:
    """Over new connections; empty while something does not answer."""
    answers = [get(base + HELLO, tls) for _ in range(calls)]
    return set() if None in answers else {json.loads(each)["lpar"] for each in answers if each}


def users_of(lpar: int) -> str:
    return f"http://127.0.{lpar}.1:7554"


class Registry:
    """A discovery node, as Eureka's clients see it."""

    def __init__(self, lpar: int) -> None:
        self._url = f"http://127.0.{lpar}.1:7553/eureka/apps"

    def instances(self) -> set[str] | None:
        body = get(self._url, Accept="application/json")
        if body is None:
            return None
        apps = json.loads(body)["applications"]["application"]
        return {each["instanceId"] for app in apps for each in app["instance"]}

    def register(self, instance: str, lease_s: int = 300) -> None:
        document = {
            "instanceId": instance,
            "hostName": "192.0.2.1",
            "ipAddr": "192.0.2.1",
            "app": "WITNESS",
            "status": "UP",
            "port": {"$": 9000, "@enabled": "true"},
            "leaseInfo": {"durationInSecs": lease_s},
            "dataCenterInfo": {"name": "MyOwn", "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"},
        }
        assert send("POST", f"{self._url}/WITNESS", {"instance": document}) == 204

    def deregister(self, instance: str) -> None:
        assert send("DELETE", f"{self._url}/WITNESS/{instance}") == 200


@contextlib.asynccontextmanager
async def users(*bases: str, rate: float = RATE, tls: ssl.SSLContext | None = None) -> AsyncIterator[list[Callers]]:
    """Users of each of these, all the time."""
    loads = [Callers(base + HELLO, rate, tls) for base in bases]
    async with asyncio.TaskGroup() as running:
        for load in loads:
            running.create_task(load.run())
        try:
            yield loads
        finally:
            for load in loads:
                load.stop()


async def order(*command: str) -> float:
    """Done on the engine while users go on; when it was begun, in monotonic seconds."""
    begun = time.monotonic()
    await asyncio.to_thread(run, *command)
    return begun


def in_words(outcomes: list[Outcome]) -> str:
    return (
        f"{len(outcomes)} GETs: {len(callers.errors(outcomes))} error answers, {len(callers.cut(outcomes))} cut; "
        f"median {callers.median_ms(outcomes):.1f} ms, slowest {callers.slowest_ms(outcomes):.0f} ms"
    )


def failed(outcomes: list[Outcome]) -> list[Outcome]:
    return callers.errors(outcomes) + callers.cut(outcomes)
