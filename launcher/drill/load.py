"""The load of a drill: calls that start on time whatever becomes of earlier ones (an open loop).

A share of them is made on new connections, the others on kept ones, because the two meet a dying gateway differently.
`cache` calls are writes of the drill's own keys; those that were acknowledged are read back at the end. With TLS they
show the command's certificate, as the cache is not for everybody; the others are a stranger's, who shows none.

Latency counts from when a call was due, not from when this process got round to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
import urllib.parse

import msgspec

from launcher.drill.client import Answer, Client, Connection, Cut
from launcher.drill.evidence import Call, Evidence
from launcher.drill.scenario import Load
from launcher.secure import Credentials

CACHE = "/cachingservice/api/v1/cache"

READ_BACK_TRIES = 5


class Caller:
    def __init__(
        self, base: str, load: Load, evidence: Evidence, seed: int, credentials: Credentials | None = None
    ) -> None:
        """`base` is the sysplex address, "http://host:port", or https with `credentials`."""
        parts = urllib.parse.urlsplit(base)
        host, port = parts.hostname or "", parts.port or (443 if credentials else 80)
        self._base = base
        self._host = f"{host}:{port}"
        self._stranger = Client(host, port, credentials.stranger if credentials else None)
        self._holder = Client(host, port, credentials.holder) if credentials else self._stranger
        self._load = load
        self._evidence = evidence
        self._chance = random.Random(seed)
        self._zero = time.monotonic()
        self._stop = asyncio.Event()
        self._written: dict[str, str] = {}
        """Acknowledged: key to value."""
        self._keys = 0
        self._caller = f"X-CS-Service-ID: drill-{time.time():.0f}-{os.getpid()}\r\n"
        """The cache's entries are the caller's own: two drills do not meet in them."""

    @property
    def now(self) -> float:
        """Seconds since the load began."""
        return time.monotonic() - self._zero

    async def run(self) -> None:
        """Until `stop`; returns when every call has ended."""
        self._zero = time.monotonic()
        names, weights = list(self._load.calls), list(self._load.calls.values())
        async with asyncio.TaskGroup() as calls:
            count = 0
            while not self._stop.is_set():
                due = count / self._load.rate
                await asyncio.sleep(max(due - self.now, 0))
                name = self._chance.choices(names, weights)[0]
                calls.create_task(self._call(name, due, new=self._chance.random() < self._load.new))
                count += 1
        self._evidence.acknowledged = len(self._written)

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self._stranger.close()
        self._holder.close()

    async def _call(self, name: str, due: float, *, new: bool) -> None:
        if name == "cache":
            self._keys += 1
            key, value = f"key-{self._keys}", f"{self._chance.random():.12f}"
            body = f'{{"key":"{key}","value":"{value}"}}'
            call = await self._try(self._holder, "POST", CACHE, body, due, new=new, fields=self._caller)
            if call.kind == "ok":
                self._written[key] = value
        else:
            method, path = name.split(" ", 1)
            body = '{"drill":1}' if method in ("POST", "PUT", "PATCH") else ""
            call = await self._try(self._stranger, method, path, body, due, new=new)
        self._evidence.calls.append(call)

    async def _try(
        self, client: Client, method: str, path: str, body: str, due: float, *, new: bool, fields: str = ""
    ) -> Call:
        head = self._head(method, path) + fields
        if new:
            head += "Connection: close\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        connection: Connection | None = None if new else client.kept()
        begun, age_s, carried, gateway = time.monotonic(), 0.0, 0, ""
        try:
            async with asyncio.timeout(self._load.timeout_s):
                if connection is None:
                    connection = await client.connect()
                else:
                    age_s, carried, gateway = begun - connection.made, connection.carried, connection.gateway
                answer = await connection.call((head + "\r\n").encode(), body.encode())
        except (Cut, TimeoutError) as error:
            if connection is not None:
                connection.close()
            why = str(error) if isinstance(error, Cut) else f"no answer in {self._load.timeout_s:g} s"
            return self._said(due, method, path, None, why, age_s, carried, gateway)
        client.give_back(connection, answer)
        return self._said(due, method, path, answer, _why(answer), age_s, carried, connection.gateway)

    def _said(
        self,
        due: float,
        method: str,
        path: str,
        answer: Answer | None,
        why: str,
        age_s: float,
        carried: int,
        gateway: str,
    ) -> Call:
        good = answer is not None and answer.status < 400
        return Call(
            at=due,
            took_s=max(self.now - due, 0.0),
            method=method,
            url=f"{self._base}{path}",
            kind="cut" if answer is None else "ok" if good else "error",
            status=answer.status if answer else None,
            why="" if good else why,
            age_s=age_s,
            carried=carried,
            gateway=gateway,
            served=_served(answer.path) if answer else "",
            path=answer.path if answer else "",
        )

    # --- afterwards

    async def read_back(self) -> None:
        """Ask for every acknowledged write; what is not there, or is another value, is lost."""
        for key, value in self._written.items():
            found = await self._read(key)
            if found is None:
                self._evidence.unread += 1
            elif found.status != 200 or value.encode() not in found.body:
                self._evidence.lost.append(f"{key}: {found.status} from {found.path}: {_why(found)}")

    async def forget(self) -> None:
        """Take the drill's own entries out of the cache."""
        await self._ask("DELETE", CACHE)

    async def _read(self, key: str) -> Answer | None:
        """None: nobody said whether it is there."""
        for _ in range(READ_BACK_TRIES):
            answer = await self._ask("GET", f"{CACHE}/{key}")
            if answer is not None and answer.status in (200, 404) and _served(answer.path):
                return answer
            await asyncio.sleep(0.2)
        return None

    async def _ask(self, method: str, path: str) -> Answer | None:
        head = f"{self._head(method, path)}{self._caller}\r\n"
        try:
            async with asyncio.timeout(self._load.timeout_s):
                connection = self._holder.kept() or await self._holder.connect()
                answer = await connection.call(head.encode(), b"")
        except (Cut, TimeoutError):
            return None
        self._holder.give_back(connection, answer)
        return answer

    def _head(self, method: str, path: str) -> str:
        return f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nUser-Agent: plexmesh-drill\r\n"


class _Message(msgspec.Struct, rename="camel"):
    message_number: str = ""
    message_content: str = ""


class _Refusal(msgspec.Struct):
    messages: list[_Message] = []


def _served(path: str) -> str:
    """The LPAR of the instance in "LPAR1/gateway > LPAR2/sample…; tries=1"; empty when the gateway itself answered."""
    _, arrow, instance = path.partition(" > ")
    return instance.partition("/")[0] if arrow else ""


def _why(answer: Answer) -> str:
    """What it says, cut short: the message if it is one in Zowe's form, else the first line."""
    with contextlib.suppress(msgspec.DecodeError):
        refusal = msgspec.json.decode(answer.body, type=_Refusal)
        if refusal.messages:
            return f"{refusal.messages[0].message_number} {refusal.messages[0].message_content}"[:300]
    text = answer.body.decode("utf-8", "replace").strip()
    return text.splitlines()[0][:300] if text else f"status {answer.status} without a body"
