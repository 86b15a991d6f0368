"""`up`'s API for the command: small, synchronous, quick to import.

Source: `launcher.sysplex_api`. Errors come back as the class of their status, with the text of the answer.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.parse
from collections.abc import Iterator

import msgspec

from launcher import secure
from shared import wire
from shared.errors import BadInput, Conflict, Forbidden, NotFound, PlexmeshError, Unavailable

ASK_S = 3.0
ORDER_S = 90.0
"""Starting an LPAR answers when its components are ready, stopping one when they have gone."""

STEP_S = 90.0
"""Of a rolling restart."""

ERRORS: dict[int, type[PlexmeshError]] = {400: BadInput, 403: Forbidden, 404: NotFound, 409: Conflict}


class Whose(msgspec.Struct, frozen=True):
    sysplex: str
    pid: int
    data: str


class Step(msgspec.Struct, frozen=True):
    """A line of a rolling restart."""

    text: str
    failed: bool = False


class Messages(msgspec.Struct, frozen=True):
    messages: list[str]


class Control:
    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        """`tls`: for https, instead of the command's own."""
        self._url = url
        self._tls = tls

    def status(self) -> tuple[wire.SysplexStatus, bytes]:
        """Decoded, and as it came."""
        body = self.call("GET", "/v1/status", ASK_S)
        return msgspec.json.decode(body, type=wire.SysplexStatus), body

    def whose(self) -> Whose:
        try:
            return msgspec.json.decode(self.call("GET", "/v1/sysplex", ASK_S), type=Whose)
        except msgspec.DecodeError as error:
            raise Unavailable(f"{self._url} is something else") from error

    def order(self, lpar: str, action: str) -> wire.Lpar:
        path = f"/v1/lpars/{_quoted(lpar)}/{action}"
        return msgspec.json.decode(self.call("POST", path, ORDER_S), type=wire.Lpar)

    def order_component(self, lpar: str, component: str, action: str) -> wire.Component:
        path = f"/v1/lpars/{_quoted(lpar)}/components/{_quoted(component)}/{action}"
        return msgspec.json.decode(self.call("POST", path, ORDER_S), type=wire.Component)

    def quiesce(self, lpar: str) -> wire.Distributor:
        return self._distribute(lpar, "quiesce")

    def activate(self, lpar: str) -> wire.Distributor:
        return self._distribute(lpar, "activate")

    def restart_rolling(
        self, lpar: str | None = None, component: str | None = None, *, force: bool = False
    ) -> Iterator[str]:
        """A line for each step that is done, and one at the end. Raises Unavailable with how far it came."""
        asked = {"lpar": lpar or "", "component": component or "", "force": force}
        connection, response = self._ask("POST", "/v1/restart", STEP_S, msgspec.json.encode(asked))
        try:
            for line in response:
                step = msgspec.json.decode(line, type=Step)
                if step.failed:
                    raise Unavailable(step.text)
                yield step.text
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._url} does not answer any more: {error}") from error
        finally:
            connection.close()

    def _distribute(self, lpar: str, action: str) -> wire.Distributor:
        body = self.call("POST", f"/v1/lpars/{_quoted(lpar)}/{action}", ORDER_S)
        return msgspec.json.decode(body, type=wire.Distributor)

    def reload(self) -> wire.Adopted:
        """plexmesh.yaml is read again. Raises BadInput: it cannot be used, and nothing has changed."""
        return msgspec.json.decode(self.call("POST", "/v1/reload", ORDER_S), type=wire.Adopted)

    def down(self) -> None:
        self.call("POST", "/v1/down", ASK_S)

    def command(self, text: str) -> list[str]:
        """Zowe's words, to a launcher; its messages."""
        body = self.call("POST", "/v1/command", ORDER_S, msgspec.json.encode({"command": text}))
        return msgspec.json.decode(body, type=Messages).messages

    def call(self, method: str, path: str, timeout_s: float, body: bytes = b"{}") -> bytes:
        """The body of the answer. Raises Unavailable, and the error its status stands for."""
        connection, response = self._ask(method, path, timeout_s, body if method == "POST" else None)
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._url} does not answer: {error}") from error
        finally:
            connection.close()

    def _ask(
        self, method: str, path: str, timeout_s: float, body: bytes | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """An answer that has begun, and is none of an error; the caller closes the connection."""
        connection = connected(self._url, timeout_s, self._tls)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            refusal = response.read() if response.status >= 400 else b""
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unavailable(f"{self._url} does not answer: {error}") from error
        if response.status >= 400:
            connection.close()
            raise ERRORS.get(response.status, Unavailable)(_detail(refusal) or f"{self._url} answers {response.status}")
        return connection, response


def connected(url: str, timeout_s: float, tls: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
    """A connection to there, not opened yet; with https by `tls`, or as `launcher.secure` has it."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        context = tls or secure.context()
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout_s, context=context)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _detail(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""
