"""Passwords of the user file."""

from __future__ import annotations

from gateway.login.passwords import Trials
from gateway.login.user_file import Directory


class FromFile:
    notice = ""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._trials = Trials()

    async def verify(self, user: str, password: str) -> str:
        users = await self._directory.users()
        found = users.get(user)
        like = next((each.hash for each in users.by_name.values() if each.hash), "")
        right = await self._trials.match(found.hash if found else "", password, like)
        return users.spelled(user) if right else ""

    async def close(self) -> None:
        pass
