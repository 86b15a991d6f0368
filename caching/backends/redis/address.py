"""Where the master is, and connections to it.

Without sentinels it is the node of the setting. With them one that answers is asked each time: who was the master when
the connection before was made may be a replica by now. Whoever we reach says itself whether it is one (HELLO).

Source: Redis' "Guidelines for Redis clients with support for Redis Sentinel".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redis import exceptions as theirs
from redis.asyncio import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from caching.backends.redis.lane import abort
from caching.backends.redis.replies import CUT, meaning, waits
from caching.backends.redis.scripts import TEXT
from caching.backends.redis.settings import Login, Node, RedisSettings, Tls
from shared.errors import ConfigError, Unavailable, nearest

CONNECT_S = 0.5
SENTINEL_S = 0.4


class Address:
    def __init__(self, settings: RedisSettings, client_name: str, seen: Callable[[Node], None]) -> None:
        """`seen` is told where the master is, each time it is asked for or connected to."""
        self._settings = settings
        self._client_name = client_name
        self._seen = seen
        self._sentinel = _sentinel(settings) if settings.sentinels else None

    async def find(self) -> Node:
        """The master's, as it is known now. Raises Unavailable."""
        node = self._settings.node
        if self._sentinel is not None:
            try:
                node = Node(*await self._sentinel.discover_master(self._settings.master))
            except (theirs.RedisError, OSError) as error:
                raise Unavailable(f"no sentinel names a living master {self._settings.master!r}") from error
        self._seen(node)
        return node

    async def check_name(self) -> None:
        """Raises ConfigError when sentinels answer and none knows the master's name."""
        if self._sentinel is None:
            return
        known: set[str] = set()
        answered = False
        for each in self._sentinel.sentinels:
            try:
                masters: Any = await each.sentinel_masters()
            except theirs.AuthenticationError as error:
                raise ConfigError("Redis: a sentinel refuses the login") from error
            except (theirs.RedisError, OSError):
                continue
            answered = True
            known.update(masters)
        if answered and self._settings.master not in known:
            raise ConfigError(
                f"Redis: the sentinels watch {', '.join(sorted(known)) or 'no master'}, the configuration says "
                f"{self._settings.master!r}{nearest(self._settings.master, known)}"
            )

    async def remarks(self) -> list[str]:
        """What is wrong with the sentinels."""
        if self._sentinel is None:
            return []
        found = ["one sentinel only: nobody takes over when it is lost"] if len(self._sentinel.sentinels) == 1 else []
        for each in list(self._sentinel.sentinels):
            try:
                await each.sentinel_ckquorum(self._settings.master)
                return found
            except theirs.ResponseError as error:
                return [*found, f"the sentinels could not agree on a new master: {str(error)[:120]}"]
            except (theirs.RedisError, OSError):
                continue
        return [*found, "no sentinel answers"]

    async def connect(self) -> Connection:
        """To the master, with the script loaded. Raises Unavailable, ConfigError."""
        node = await self.find()
        connection = _connection(self._settings, node, self._client_name)
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            await _check_role(connection, node)
            await connection.send_command("SCRIPT", "LOAD", TEXT, check_health=False)
            await connection.read_response(disconnect_on_error=False)
        except theirs.AuthenticationError as error:
            abort(connection)
            raise ConfigError(f"Redis: {node} refuses the login: another user or password is needed") from error
        except theirs.NoPermissionError as error:
            abort(connection)
            raise ConfigError(f"Redis: {node}: the user may not use scripts: {error}") from error
        except theirs.RedisError as error:
            abort(connection)
            if waits(error) or not isinstance(error, CUT):
                raise Unavailable(f"{node}: {meaning(error)}") from error
            raise Unavailable(f"{node} cannot be reached: {error}") from error
        except BaseException:
            abort(connection)
            raise
        return connection

    async def close(self) -> None:
        if self._sentinel is not None:
            await self._sentinel.aclose()


async def _check_role(connection: Connection, node: Node) -> None:
    await connection.send_command("HELLO", check_health=False)
    said = await connection.read_response(disconnect_on_error=False)
    facts = dict(zip(said[::2], said[1::2], strict=False)) if isinstance(said, list) else said
    if facts.get(b"mode") == b"cluster":
        raise ConfigError(
            f"Redis: {node} belongs to a Redis Cluster, which is not supported; use a master or sentinels"
        )
    if facts.get(b"role") not in (b"master", None):
        raise Unavailable(f"{node} is a replica, no master")


def _connection(settings: RedisSettings, node: Node, client_name: str) -> Connection:
    return _class(settings.tls)(
        host=node.host,
        port=node.port,
        db=settings.db,
        client_name=client_name,
        socket_timeout=None,
        socket_connect_timeout=CONNECT_S,
        **_common(settings.login, settings.tls),
    )


def _sentinel(settings: RedisSettings) -> Sentinel:
    options = _common(settings.sentinel_login, settings.tls)
    if settings.tls:
        options["ssl"] = True
    times = {"socket_timeout": SENTINEL_S, "socket_connect_timeout": SENTINEL_S}
    return Sentinel(settings.sentinels, sentinel_kwargs=options | times)  # type: ignore[no-untyped-call]


def _class(tls: Tls | None) -> type[Connection]:
    return SSLConnection if tls else Connection


def _common(login: Login, tls: Tls | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "username": login.user or None,
        "password": login.password or None,
        "protocol": 2,
        "driver_info": None,
        "retry": Retry(NoBackoff(), 0),
    }
    if tls:
        options |= {
            "ssl_ca_certs": tls.authorities or None,
            "ssl_certfile": tls.certificate or None,
            "ssl_keyfile": tls.certificate or None,
            "ssl_password": tls.password or None,
        }
    return options
