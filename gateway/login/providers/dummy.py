"""One user whose password everybody knows, for demonstrations.

Source: Zowe API Mediation Layer's dummy provider.
"""

from __future__ import annotations

import hmac

NAME = PASSWORD = "user"


class Dummy:
    notice = "anybody can log in as user with the password user (provider dummy): for demonstrations only"

    async def verify(self, user: str, password: str) -> str:
        right = hmac.compare_digest(password.encode("utf-8", "replace"), PASSWORD.encode())
        return NAME if right and user.casefold() == NAME else ""

    async def close(self) -> None:
        pass
