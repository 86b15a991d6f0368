"""The head of a request: strict checks, and what of it may go on to an instance.

What is refused (400 unless said), because two readers could understand it differently or because the RFC says so:

    Host            none or two (9112, 3.2); not a host with an optional port; other than an absolute target's host
    target          asterisk except with OPTIONS, a fragment, user information, another scheme than http and https
    Content-Length  two fields, not digits only, together with Transfer-Encoding (9112, 6.3)
    Transfer-Enc.   anything but exactly `chunked`; any at all in HTTP/1.0 (9112, 6.1)
    Upgrade         with a body: bytes of the body could be taken for the new protocol (one to HTTP/2, or to what is no
                    protocol's name, is ignored: 9110, 7.8)
    Expect          anything but 100-continue (417; 9110, 10.1.1)

What is acted on here (`Steering`): X-Forward-To and what browsers say of a page's origin, which are taken out, and
X-InstanceId and X-Plexmesh-Lpar, which go on: the next gateway may have to act on them.

What is dropped: hop-by-hop fields and those Connection names (9110, 7.6.1), every field that only a gateway may say
(X-Forwarded-*, Forwarded, Via: kept aside, for a proxy that is trusted), X-Certificate-*, by which a gateway vouches
for a client's certificate, and what others' do so by (Client-Cert: RFC 9440), X-Zowe-Auth-Failure, and all spellings of
these with "_". Everything else goes on in its order and spelling.

What the framing fields mean together is remembered (`Facts`), like the lines themselves: it depends on nothing else.

Not here: the bytes that are sent (`forwarding`), answers (`answer_heads`), the path (`paths`).
"""

from __future__ import annotations

import re
from itertools import repeat

import msgspec

from gateway.cors import Asked
from gateway.fields import DROPPED, PLAIN, TOKEN, Field, FieldLines, Kinds, Malformed, tokens
from gateway.reader import CHUNKED, NONE

AUTHORITY = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?\Z")
DIGITS = re.compile(rb"[0-9]{1,18}\Z")
REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}\Z")
PROTOCOLS = re.compile(rb"%b(?:/%b)?(?:[ \t]*,[ \t]*%b(?:/%b)?)*\Z" % (TOKEN, TOKEN, TOKEN, TOKEN))
TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding "
    b"upgrade http2-settings".split()
)
FORWARDING = frozenset(
    b"forwarded via x-real-ip x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port "
    b"x-forwarded-prefix".split()
)
VOUCHING = frozenset(b"client-cert client-cert-chain x-zowe-auth-failure".split())
"""Beside X-Certificate-*."""
SAID_ANEW = frozenset(b"host content-length expect".split())
"""Not copied but said as they were understood."""

FRAMING, ASIDE, REQUEST_ID_FIELD, TRACE_PARENT, TRACE_STATE, STEERING = 2, 3, 4, 5, 6, 7
"""Kinds of fields: of which the facts are made; kept aside for trusted proxies; single ones; and of `Steering`."""

FORWARD_TO, INSTANCE_ID, LPAR, ORIGIN = b"x-forward-to", b"x-instanceid", b"x-plexmesh-lpar", b"origin"
ASKS_METHOD, ASKS_HEADERS = b"access-control-request-method", b"access-control-request-headers"

MEANINGFUL = frozenset(b"host content-length expect connection transfer-encoding upgrade te".split())
KINDS = Kinds(
    dict.fromkeys(HOP_BY_HOP | VOUCHING | {b"proxy"}, DROPPED)
    | dict.fromkeys(FORWARDING, ASIDE)
    | dict.fromkeys(MEANINGFUL, FRAMING)
    | {b"x-request-id": REQUEST_ID_FIELD, b"traceparent": TRACE_PARENT, b"tracestate": TRACE_STATE}
    | dict.fromkeys((FORWARD_TO, INSTANCE_ID, LPAR, ORIGIN, ASKS_METHOD, ASKS_HEADERS), STEERING),
    {b"x-forwarded-": ASIDE, b"x-certificate-": DROPPED, b"access-control-": DROPPED},
)
"""(`Proxy` is no field of HTTP; programs that take fields as variables read it as HTTP_PROXY.)"""
ONCE = frozenset(b"host content-length transfer-encoding".split())

SAFE = frozenset(b"GET HEAD OPTIONS TRACE".split())

BODY_EXPECTED = frozenset((b"POST", b"PUT", b"PATCH"))
"""Methods whose requests say a length also when it is 0."""


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What the framing fields of a head say together; `minor` is that of the client's version, 1.0 or 1.1.

    `length` is a number of bytes, NONE or CHUNKED. `upgrade` is the protocol asked for, or empty. `framing` are the
    lines an instance is told this by. `hops` are the names in Connection that are no plain options.
    """

    minor: int
    host: bytes
    length: int
    keep_alive: bool
    upgrade: bytes
    expects_continue: bool
    wants_trailers: bool
    framing: bytes
    hops: frozenset[bytes]


class Steering(msgspec.Struct, frozen=True, gc=False):
    """What a head says of where the call shall go, and from which origin its page is. Empty: nothing."""

    forward_to: bytes
    instance: bytes
    lpar: bytes
    cors: Asked


class RequestFields(msgspec.Struct, frozen=True, gc=False):
    """The checked fields of a head. `lines` are those that go on; `aside` those only a trusted proxy may say.

    `request_id` and `trace` (a valid traceparent) are empty when the client gave none that can be kept.
    """

    facts: Facts
    lines: bytes
    request_id: bytes
    trace: bytes
    aside: tuple[Field, ...]
    steering: Steering | None = None


class _FactsOf(dict[tuple[int, tuple[bytes, ...]], Facts]):
    """(minor, framing lines) → Facts. Raises Malformed."""

    MAX_KEPT = 1024
    MAX_KEPT_BYTES = 512

    def __missing__(self, key: tuple[int, tuple[bytes, ...]]) -> Facts:
        minor, lines = key
        facts = _read_facts(minor, lines)
        if sum(map(len, lines)) <= self.MAX_KEPT_BYTES:
            if len(self) >= self.MAX_KEPT:
                self.clear()
            self[key] = facts
        return facts


LINES = FieldLines(KINDS)
UNKNOWN = repeat(b"")
FACTS = _FactsOf()


def read_fields(minor: int, block: bytes, max_fields: int = 100) -> RequestFields:
    """Check the fields of a head. Raises Malformed."""
    split = block.split(b"\r\n") if block else []
    if len(split) > max_fields:
        raise Malformed(431, f"more than {max_fields} header fields")
    known = LINES
    lines = list(map(known.plain.get, split, UNKNOWN))
    framing: list[bytes] = []
    special: list[Field] | None = None
    for at, said in enumerate(lines):
        if not said:
            line = split[at]
            field = known[line]
            kind = field.kind
            lines[at] = field.line if kind == PLAIN else b""
            if kind == FRAMING:
                framing.append(line)
            elif kind > FRAMING:
                if special is None:
                    special = []
                special.append(field)
    facts = FACTS[minor, tuple(framing)]
    if facts.hops:
        lines = [
            each.line for each in map(known.__getitem__, split) if each.kind == PLAIN and each.key not in facts.hops
        ]
    if special is None:
        return RequestFields(facts, b"".join(lines), b"", b"", ())
    return _with_special(facts, lines, special)


def _with_special(facts: Facts, lines: list[bytes], special: list[Field]) -> RequestFields:
    request_id = trace = b""
    states: list[bytes] = []
    aside: list[Field] = []
    steering: dict[bytes, bytes] = {}
    for field in special:
        if field.key in facts.hops:
            continue
        if field.kind == ASIDE:
            aside.append(field)
        elif field.kind == REQUEST_ID_FIELD:
            request_id = field.value if REQUEST_ID.match(field.value) else b""
        elif field.kind == TRACE_PARENT:
            trace = b"" if trace or not TRACEPARENT.match(field.value) else field.value
        elif field.kind == STEERING:
            if steering.setdefault(field.key, field.value) != field.value:
                raise Malformed(400, f"more than one {field.key.decode()} field")
            if field.key in (INSTANCE_ID, LPAR):
                lines.append(field.line)
        else:
            states.append(field.line)
    if trace:
        lines += states
    return RequestFields(
        facts, b"".join(lines), request_id, trace, tuple(aside), _steering(steering) if steering else None
    )


def _steering(said: dict[bytes, bytes]) -> Steering:
    get = said.get
    return Steering(
        get(FORWARD_TO, b""),
        get(INSTANCE_ID, b""),
        get(LPAR, b""),
        Asked(get(ORIGIN, b""), get(ASKS_METHOD, b""), get(ASKS_HEADERS, b"")),
    )


def read_target(method: bytes, target: bytes, host: bytes) -> tuple[bytes, bytes]:
    """(path, query with its "?", or empty) of a target as it came. Raises Malformed."""
    if target[:1] != b"/":
        target = _origin_form(method, target, host)
    if b"#" in target:
        raise Malformed(400, "a target must not hold a fragment")
    path, mark, query = target.partition(b"?")
    return path, mark + query


def _read_facts(minor: int, lines: tuple[bytes, ...]) -> Facts:
    special: dict[bytes, bytes] = {}
    for field in map(LINES.__getitem__, lines):
        if field.key not in special:
            special[field.key] = field.value
        elif field.key in ONCE:
            raise Malformed(400, f"more than one {field.key.decode()} field")
        else:
            special[field.key] += b", " + field.value
    host = special.get(b"host")
    if host is None or not AUTHORITY.match(host):
        host = _host(host, minor)
    length = _length(special, minor)
    options = tokens(special.get(b"connection", b""))
    keep_alive = b"close" not in options and (minor == 1 or b"keep-alive" in options)
    upgrade = _upgrade(special, options, minor, length)
    expects = b"expect" in special and _expects_continue(special[b"expect"], minor)
    trailers = minor == 1 and b"te" in options and b"trailers" in tokens(special.get(b"te", b""))
    framing = _framing(length, b"content-length" in special, upgrade, expects, trailers)
    return Facts(minor, host, length, keep_alive, upgrade, expects, trailers, framing, options - PLAIN_OPTIONS)


PLAIN_OPTIONS = frozenset((b"close", b"keep-alive")) | HOP_BY_HOP | SAID_ANEW
"""Names in Connection that need no dropping: they are no fields, or are never copied."""


def _framing(length: int, told: bool, upgrade: bytes, expects: bool, trailers: bool) -> bytes:
    lines = b""
    if length == CHUNKED:
        lines = b"Transfer-Encoding: chunked\r\n"
    elif told:
        lines = b"Content-Length: %d\r\n" % length
    if upgrade:
        lines += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % upgrade
    elif trailers:
        lines += b"Connection: TE\r\nTE: trailers\r\n"
    return lines + (b"Expect: 100-continue\r\n" if expects else b"")


def _host(host: bytes | None, minor: int) -> bytes:
    if host is None and minor == 0:
        return b""
    raise Malformed(400, "no Host field" if host is None else "the Host field is not a host with an optional port")


def _origin_form(method: bytes, target: bytes, host: bytes) -> bytes:
    """The target as a path. A whole URL is allowed (9112, 3.2.2) when it names the same host."""
    if target == b"*" and method == b"OPTIONS":
        return b"/*"
    scheme, found, rest = target.partition(b"://")
    if not found or scheme.lower() not in (b"http", b"https"):
        raise Malformed(400, "a target must be a path, or a URL with http or https")
    end = re.search(rb"[/?#]|\Z", rest)
    authority, path = (rest[: end.start()], rest[end.start() :]) if end else (rest, b"")
    if b"@" in authority or authority.lower() != host.lower():
        raise Malformed(400, "the target names another host than the Host field")
    return path if path.startswith(b"/") else b"/" + path


def _length(special: dict[bytes, bytes], minor: int) -> int:
    coding = special.get(b"transfer-encoding")
    if coding is not None:
        if minor == 0 or coding.lower() != b"chunked" or b"content-length" in special:
            raise Malformed(400, "Transfer-Encoding must be chunked alone, in HTTP/1.1, without Content-Length")
        return CHUNKED
    digits = special.get(b"content-length")
    if digits is None:
        return NONE
    if not DIGITS.match(digits):
        raise Malformed(400, "Content-Length must be digits")
    return int(digits)


def _upgrade(special: dict[bytes, bytes], options: frozenset[bytes], minor: int, length: int) -> bytes:
    if b"upgrade" not in options or b"upgrade" not in special:
        return b""
    if length != NONE:
        raise Malformed(400, "a request for another protocol must not have a body")
    wanted = special[b"upgrade"]
    return wanted if minor == 1 and PROTOCOLS.match(wanted) and not _is_h2c(wanted) else b""


def _is_h2c(upgrade: bytes) -> bool:
    """HTTP/2 through a tunnel would go past every rule of this gateway, so the wish is ignored (9110, 7.8)."""
    return any(protocol.startswith((b"h2c", b"h2", b"http/")) for protocol in tokens(upgrade))


def _expects_continue(expect: bytes, minor: int) -> bool:
    if minor == 0:
        return False
    if expect.lower() != b"100-continue":
        raise Malformed(417, "the only expectation known is 100-continue")
    return True
