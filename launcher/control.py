"""`up`'s API for the command: small, synchronous, quick to import.

Source: `launcher.sysplex_api`. Errors come back as the class of their status, with the text of the answer.
"""

from __future__ import annotations

import http.client
import urllib.parse

import msgspec

from shared import wire
from shared.errors import BadInput, Conflict, NotFound, PlexmeshError, Unavailable

ASK_S = 3.0
ORDER_S = 90.0
"""Starting an LPAR answers when its components are ready, stopping one when they have gone."""

ERRORS: dict[int, type[PlexmeshError]] = {400: BadInput, 404: NotFound, 409: Conflict}


class Whose(msgspec.Struct, frozen=True):
    sysplex: str
    pid: int
    data: str


class Control:
    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self._url = url
        self._host = parts.hostname or ""
        self._port = parts.port

    def status(self) -> tuple[wire.SysplexStatus, bytes]:
        """Decoded, and as it came."""
        body = self._call("GET", "/v1/status", ASK_S)
        return msgspec.json.decode(body, type=wire.SysplexStatus), body

    def whose(self) -> Whose:
        try:
            return msgspec.json.decode(self._call("GET", "/v1/sysplex", ASK_S), type=Whose)
        except msgspec.DecodeError as error:
            raise Unavailable(f"{self._url} is something else") from error

    def order(self, lpar: str, action: str) -> wire.Lpar:
        path = f"/v1/lpars/{_quoted(lpar)}/{action}"
        return msgspec.json.decode(self._call("POST", path, ORDER_S), type=wire.Lpar)

    def order_component(self, lpar: str, component: str, action: str) -> wire.Component:
        path = f"/v1/lpars/{_quoted(lpar)}/components/{_quoted(component)}/{action}"
        return msgspec.json.decode(self._call("POST", path, ORDER_S), type=wire.Component)

    def down(self) -> None:
        self._call("POST", "/v1/down", ASK_S)

    def _call(self, method: str, path: str, timeout_s: float) -> bytes:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        try:
            body = "{}" if method == "POST" else None
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._url} does not answer: {error}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise ERRORS.get(response.status, Unavailable)(_detail(answer) or f"{self._url} answers {response.status}")
        return answer


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _detail(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""
