"""What is asked: heads of many shapes, no two alike.

64 heads differ in path, query, user agent, accepted types, cookie and request id, in length and order, as those of many
clients do. Each has a place for a number, counted on from request to request, in the request id or in the query: a
proxy that remembers heads gains only where memory helps real traffic too. `REPEATED` is the other case: one client
that says the same over and over.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

PREFIX = "/orders/api/v1"
"""Where the proxies find the upstream with small answers; they take it off the path."""
HOST = "gateway.example:7554"
SHAPES = 64

AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Java-http-client/17.0.11",
    "okhttp/4.12.0",
    "curl/8.7.1",
    "axios/1.7.2",
    "python-requests/2.32.3",
)
ACCEPTED = (
    "*/*",
    "application/json",
    "application/json, text/plain, */*",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
)
PATHS = ("items", "items/{}", "customers/{}/orders", "customers/{}/orders/{}/lines", "search", "reports/2024/{}")
WORDS = ("open", "closed", "late", "north", "south", "blue", "large", "priority", "archive", "draft")


@dataclass(frozen=True)
class Head:
    before: str
    after: str

    def numbered(self, number: int) -> bytes:
        return f"{self.before}{number}{self.after}".encode()


def shapes(close: bool = False, seed: int = 45) -> list[Head]:
    """`close`: each ends its connection."""
    rng = random.Random(seed)
    return [_shape(rng, number, close) for number in range(SHAPES)]


def _shape(rng: random.Random, number: int, close: bool) -> Head:
    path = rng.choice(PATHS).replace("{}", str(rng.randrange(10 ** rng.randrange(1, 8))))
    query = "&".join(f"{word}={rng.randrange(1000)}" for word in rng.sample(WORDS, rng.randrange(4)))
    fields = [
        f"User-Agent: {rng.choice(AGENTS)}",
        f"Accept: {rng.choice(ACCEPTED)}",
        "Accept-Encoding: gzip, deflate",
    ]
    if rng.random() < 0.5:
        fields.append(f"Cookie: session={rng.randbytes(rng.randrange(8, 33)).hex()}; theme={rng.choice(WORDS)}")
    if rng.random() < 0.3:
        fields.append(f"Authorization: Bearer {rng.randbytes(rng.randrange(30, 90)).hex()}")
    if rng.random() < 0.3:
        fields.append("Accept-Language: en-GB,en;q=0.9,de;q=0.7")
    if number % 2:
        query, numbered = query or "page=1", f"X-Request-Id: {rng.randbytes(rng.randrange(4, 17)).hex()}-@"
        fields.append(numbered)
    else:
        query = f"{query}&after=@" if query else "after=@"
    rng.shuffle(fields)
    fields.insert(0, f"Host: {HOST}")
    if close:
        fields.append("Connection: close")
    head = f"GET {PREFIX}/{path}?{query} HTTP/1.1\r\n" + "\r\n".join(fields) + "\r\n\r\n"
    return Head(*head.split("@"))


REPEATED = Head(
    f"GET {PREFIX}/items?page=1 HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench/",
    "\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate\r\n\r\n",
)

LUA = """\
local before, after, number = {%s}, {%s}, 0
local shapes = #before
function request()
  number = number + 1
  local shape = number %% shapes + 1
  return before[shape] .. number .. after[shape]
end
"""

LUA_REPEATED = """\
local head = %s
function request() return head end
"""

LUA_DONE = """\
function done(summary, latency)
  local errors = summary.errors
  local counts = {requests = summary.requests, duration_us = summary.duration}
  for _, kind in ipairs({"connect", "read", "write", "status", "timeout"}) do counts[kind] = errors[kind] end
  for _, share in ipairs({50, 99}) do counts["p" .. share .. "_us"] = latency:percentile(share) end
  local members = {}
  for name, value in pairs(counts) do table.insert(members, string.format('"%s": %d', name, value)) end
  io.write("\\n{" .. table.concat(members, ", ") .. "}\\n")
end
"""


def lua(heads: list[Head]) -> str:
    """wrk's script for these heads in turn, numbered; JSON's strings are Lua's as long as they are ASCII."""
    before = ", ".join(json.dumps(head.before) for head in heads)
    after = ", ".join(json.dumps(head.after) for head in heads)
    return LUA % (before, after) + LUA_DONE


def lua_repeated(head: Head) -> str:
    return LUA_REPEATED % json.dumps(head.numbered(1).decode()) + LUA_DONE
