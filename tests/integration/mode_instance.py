"""An instance that goes wrong in the way it is told to: a program of its own, and what a test holds of it.

    ok                answers with its host
    slow SECONDS      answers so much later
    503 [SECONDS]     refuses at once; with seconds, it says Retry-After
    flap SECONDS      ok and 503 in turn, each for so long
    black hole        drops the SYNs of new connections, and says nothing on those that are open
    count             as before

These are orders, a line each on its stdin, after the first, `go`: only then it listens. Each is answered with how many
calls it has had (`/application/health` is none, and always 200). The body of a POST is written to the journal, a line
each, as soon as it is there. With a discovery it registers as `orders` by `plexmesh.Service`, and leaves at SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

PORT = 9000
HEALTH = b"/application/health"


class Program:
    def __init__(self, host: str, journal: Path) -> None:
        self.host = host
        self.calls = 0
        self.order = ["ok"]
        self._since = 0.0
        self._journal = journal.open("ab", buffering=0)
        self._server: asyncio.Server | None = None
        self._nothing = asyncio.Event()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, PORT)

    def told(self, line: bytes) -> None:
        order = line.decode().split()
        if order == ["count"]:
            return
        self.order, self._since = order, asyncio.get_running_loop().time()
        if order == ["black", "hole"] and self._server is not None:
            from shared.net import refuse_handshakes  # late: it imports aiohttp, which makes a start slow

            for each in self._server.sockets:
                refuse_handshakes(each)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # asyncio's streams log handlers that are cancelled at the end
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                body = await reader.readexactly(int(length or 0))
                writer.write(await self._answer(head, body))
        writer.close()

    async def _answer(self, head: bytes, body: bytes) -> bytes:
        method, path, _ = head.split(b" ", 2)
        mode, *number = self.order
        if mode == "black":
            await self._nothing.wait()
        if path == HEALTH:
            return answer(b"200 OK", b"well")
        self.calls += 1
        passed = asyncio.get_running_loop().time() - self._since
        if mode == "503" or (mode == "flap" and passed // float(number[0]) % 2 == 0):
            later = b"Retry-After: %b\r\n" % number[0].encode() if mode == "503" and number else b""
            return answer(b"503 Service Unavailable", b"refused", later)
        if method == b"POST":
            self._journal.write(body + b"\n")
        if mode == "slow":
            await asyncio.sleep(float(number[0]))
        return answer(b"200 OK", self.host.encode())


def answer(status: bytes, body: bytes, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), more, body)


async def main(host: str, journal: str, *discovery: str) -> None:
    if discovery:
        import plexmesh  # late, as above
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    program, ended = Program(host, Path(journal)), asyncio.Event()

    async def obey() -> None:
        while line := await stdin.readline():
            program.told(line)
            print(program.calls, flush=True)
        ended.set()  # the test has gone

    if await stdin.readline() != b"go\n":
        return
    await program.start()
    async with contextlib.AsyncExitStack() as stack:
        if discovery:
            service = plexmesh.Service("orders", host=host, port=PORT, discovery=discovery, drain_s=0.5, required=True)
            loop.add_signal_handler(signal.SIGTERM, ended.set)
            await stack.enter_async_context(service)
        print(program.calls, flush=True)
        obeying = loop.create_task(obey())
        await ended.wait()
    obeying.cancel()


class ModeInstance:
    """One such process, after another when it is started again."""

    def __init__(self, host: str, journal: Path, *discovery: str) -> None:
        self.host = host
        self._arguments = (host, str(journal), *discovery)
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        await self.prepare()
        await self.go()

    async def prepare(self) -> None:
        """Start it, but for listening and registering."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", __file__, *self._arguments, stdin=pipe, stdout=pipe
        )

    async def go(self) -> None:
        assert await self.tell("go") == 0

    async def tell(self, order: str) -> int:
        """How many calls it has had since it was started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{order}\n".encode())
        async with asyncio.timeout(10):
            return int(await self._process.stdout.readline())

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code; its pipes are closed."""
        async with asyncio.timeout(10):
            await self._process.communicate()
        return self._process.returncode or 0

    async def kill(self) -> None:
        if self._process.returncode is None:
            self.signal(signal.SIGKILL)
            await self.ended()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
