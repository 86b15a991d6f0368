"""Logins of one gateway: who gets a token, and what a token that is shown is worth. It lives in the gateway's parent.

    login     guard → provider → guard told → token          Admitted, Wrong, or TooOften
    check     tokens → revocations → is he still a user?     a `Verdict`
    logout    revocations; what was stored is known everywhere half a second later

Not here: HTTP (`api`).
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gateway.config import GatewayConfig
from gateway.login import tokens
from gateway.login.guard import Guard
from gateway.login.key_files import KeyFiles
from gateway.login.keys import Keys
from gateway.login.providers import Provider
from gateway.login.providers.dummy import Dummy
from gateway.login.providers.user_file import FromFile
from gateway.login.providers.zosmf import Zosmf
from gateway.login.revocations import Revocations
from gateway.login.ring import Ring
from gateway.login.tokens import Expired, Genuine, Token
from gateway.login.user_file import Directory, UserFile
from gateway.login.verdict import NotKnown, NotOurs, Revoked, TooOld, Valid, Verdict
from gateway.snapshot import Snapshot
from shared.errors import Unavailable
from shared.events import Events

log = logging.getLogger("plexmesh.gateway")

AT_ONCE = 8
"""Logins under way; so many tries can come in between a failure and the wait that follows."""
MOST_WAITING = 100

By = Literal["password", "certificate", "refresh"]


@dataclass(frozen=True)
class Admitted:
    token: str


@dataclass(frozen=True)
class Wrong:
    pass


@dataclass(frozen=True)
class TooOften:
    wait_s: float


class Logins:
    def __init__(self, config: GatewayConfig, events: Events, snapshot: Callable[[], Snapshot]) -> None:
        """Raises ConfigError."""
        self._events = events
        self._keys = Keys(KeyFiles(config.data), config.login_algorithm, events)
        self._directory = Directory(UserFile(config.data), events)
        self._named = config.login_provider
        self._by_file = config.login_provider in ("users", "saf")
        self._trusting = config.login_provider != "dummy"
        self._provider = _provider(config, self._directory)
        self._revocations = Revocations(snapshot)
        self._guard = Guard()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def open(self) -> None:
        await self._directory.users()
        if self._provider.notice:
            self._events.emit("login.notice", why=self._provider.notice)

    async def close(self) -> None:
        await self._provider.close()
        await self._revocations.close()

    async def look(self) -> None:
        """So that `health` is as it is now."""
        await self._directory.users()

    def health(self) -> dict[str, object]:
        """Of a health page, in Spring's shape. That nobody can log in yet is no trouble."""
        count, notice = len(self._directory.known), self._provider.notice
        why = "nobody can log in yet: plexmesh users add NAME" if self._by_file and not count else notice
        colour = "yellow" if notice else "green"
        details = {"colour": colour, "why": [why] if why else [], "provider": self._named, "users": count}
        return {"status": "UP", "details": details}

    # --- in

    async def login(self, user: str, password: str, address: str) -> Admitted | Wrong | TooOften:
        """Raises Unavailable."""
        if wait_s := self._guard.wait_s(user, address, time.monotonic()):
            return TooOften(wait_s)
        if self._waiting >= MOST_WAITING:
            raise Unavailable("too many log in at once")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._tried(user, password, address)
        finally:
            self._waiting -= 1

    async def _tried(self, user: str, password: str, address: str) -> Admitted | Wrong | TooOften:
        if wait_s := self._guard.wait_s(user, address, time.monotonic()):  # others have failed meanwhile
            return TooOften(wait_s)
        name = await self._provider.verify(user, password)
        if not name:
            self._guard.failed(user, address, time.monotonic())
            known = (await self._directory.users()).spelled(user)  # what is no user's name may be a password
            log.info("login.refused", extra={"fields": {"user": known or "unknown", "client": address}})
            return Wrong()
        self._guard.succeeded(user)
        return Admitted(await self._token(name, address, "password"))

    async def login_holder(self, certificate: str, address: str) -> Admitted | Wrong:
        """By the name of a certificate that was shown and believed. Raises Unavailable."""
        name = (await self._directory.users()).holder(certificate)
        return Admitted(await self._token(name, address, "certificate")) if name else Wrong()

    async def refresh(self, token: Token, address: str) -> Admitted:
        """Another token for the same user, and this one is good no more. Raises Unavailable: it may be, or not."""
        text = await self._token(token.user, address, "refresh")
        await self.logout(token)
        return Admitted(text)

    async def _token(self, user: str, address: str, by: By) -> str:
        key = await self._keys.signing()
        now_s = int(time.time())
        token = Token(user, now_s, now_s + tokens.LIFE_S, uuid.uuid4().hex)
        log.info("login.admitted", extra={"fields": {"user": user, "by": by, "client": address}})
        return tokens.sign(token, key)

    # --- and out

    async def logout(self, token: Token) -> None:
        """It is stored when this returns. Raises Unavailable: it may be, or not."""
        await self._revocations.revoke(token, time.time())

    async def check(self, text: str) -> Verdict:
        ring = await self._keys.knowing(tokens.key_id(text))
        match tokens.check(text, ring, time.time()):
            case Genuine(token):
                return await self._standing(token)
            case Expired(token):
                return TooOld(token)
        return NotOurs()

    async def _standing(self, token: Token) -> Verdict:
        try:
            if await self._revocations.revoked(token):
                return Revoked()
        except Unavailable as error:
            return NotKnown(str(error))
        users = await self._directory.users()
        user = users.get(token.user)
        if user is None and self._by_file:
            return NotOurs()  # he is no user any more
        return Valid(token, operator=user is not None and user.operator and self._trusting)

    async def ring(self) -> Ring:
        """The keys, at least one. Raises Unavailable."""
        return await self._keys.present()


def _provider(config: GatewayConfig, directory: Directory) -> Provider:
    match config.login_provider:
        case "dummy":
            return Dummy()
        case "zosmf":
            return Zosmf(config)
        case "users" | "saf":
            return FromFile(directory)
