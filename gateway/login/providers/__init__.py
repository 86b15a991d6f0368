"""Who says whether a password is right. One is chosen (`apiml.security.auth.provider`, or `loginProvider`).

    users (saf)    the user file on the shared volume, the stand-in for a shared security database    `user_file`
    zosmf          a z/OSMF, asked by its REST service for authentication                             `zosmf`
    dummy          user with the password user, and nobody else, for demonstrations: as insecure      `dummy`

Whoever it is, the user file says who may give orders, and whose certificate logs in as whom.

Source: Zowe API Mediation Layer, authentication providers.
"""

from __future__ import annotations

from typing import Protocol


class Provider(Protocol):
    notice: str
    """What whoever runs this should know; empty: nothing."""

    async def verify(self, user: str, password: str) -> str:
        """The user's name as a token has it; empty: wrong. Raises Unavailable: it cannot be found out now."""

    async def close(self) -> None: ...
