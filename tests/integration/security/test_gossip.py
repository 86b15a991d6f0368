"""Talking to a discovery node as if one were its peer: it takes a certificate of an LPAR and a key of the gossip ring,
each message once, by the receiver's own nonce."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

import pytest

from discovery import keyring
from discovery.auth import MAC, NONCE, Signer
from discovery.keyring import KeyRing
from discovery.messages import Ping, Sender, encode
from discovery.peers import PATH
from tests.integration.launcher_rig import HOSTS, Rig
from tests.integration.security.callers import SERVERS, Caller, Server

NODE = SERVERS["discovery"]
OTHER = Server(HOSTS["LPAR2"], 7553)
EVERYBODY = ("none", "service", "operator", "peer")
WHO_IS_THERE = b""


@dataclass
class Answered:
    status: int
    nonce: str


def post(caller: Caller, server: Server, mac: str | None, body: bytes, kind: str = "ping") -> Answered:
    field = f"{MAC}: {mac}\r\n" if mac is not None else ""
    head = f"POST {PATH}{kind} HTTP/1.1\r\nHost: x\r\n{field}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    answer = caller.say(server, head.encode() + body)
    fields = dict(line.split(": ", 1) for line in answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:])
    return Answered(int(answer.split(b" ", 2)[1]), fields.get(NONCE, ""))


def ring(rig: Rig) -> KeyRing:
    return keyring.parse((rig.data / "volume" / "gossip.key").read_text())


def message(node: str = "LPAR2") -> bytes:
    """Of another sysplex: who takes it in says so (400), and nobody becomes a member by it."""
    return encode("OTHERPLEX", Sender(f"{node}@1", "https://192.0.2.1:7553"), Ping(0, []))


def introduced(caller: Caller, server: Server, of: KeyRing) -> Signer:
    """It has been given a nonce."""
    signer = Signer()
    header, mac = signer.sign(of, "POST", f"{PATH}ping", WHO_IS_THERE)
    answer = post(caller, server, header, WHO_IS_THERE)
    assert answer.status == 401
    signer.challenged(of, mac, answer.nonce)
    return signer


@pytest.mark.parametrize("who", EVERYBODY)
def test_without_a_key_nobody_is_heard(who: str, sysplex: Rig, everybody: dict[str, Caller]) -> None:
    strange = KeyRing([secrets.token_bytes(32)])
    header, _ = Signer().sign(strange, "POST", f"{PATH}ping", message())
    for mac in (None, "", "a", "a:b:1:c", header, header.upper(), ":::", "0" * 4_000):
        assert post(everybody[who], NODE, mac, message()).status == 403
    for kind in ("sync", "push", "nonsense", "../../v1/instances"):
        assert post(everybody[who], NODE, header, message(), kind).status in (403, 404)


@pytest.mark.parametrize("who", ["none", "service", "operator"])
def test_with_the_key_but_no_certificate_of_an_lpar_neither(
    who: str, sysplex: Rig, everybody: dict[str, Caller]
) -> None:
    """Who has read the volume has the key, and is no peer by that."""
    header, _ = Signer().sign(ring(sysplex), "POST", f"{PATH}ping", WHO_IS_THERE)
    assert post(everybody[who], NODE, header, WHO_IS_THERE).status == 403


def test_a_message_that_was_recorded_is_taken_once(sysplex: Rig, everybody: dict[str, Caller]) -> None:
    peer, keys = everybody["peer"], ring(sysplex)
    signer = introduced(peer, NODE, keys)
    body = message()
    header, _ = signer.sign(keys, "POST", f"{PATH}ping", body)
    assert post(peer, NODE, header, body).status == 400, "it is heard"
    assert post(peer, NODE, header, body).status == 401, "again"
    assert post(peer, OTHER, header, body).status == 401, "at another node, which has given no such nonce"
    assert post(peer, NODE, header, body, "push").status == 403, "as another message"
    assert post(peer, NODE, header, message("LPAR3")).status == 403, "with another body"
    id, nonce, count, mac = header.split(":")
    assert post(peer, NODE, f"{id}:{nonce}:{int(count) + 1}:{mac}", body).status == 403, "with another number"
    later, _ = signer.sign(keys, "POST", f"{PATH}ping", body)
    assert post(peer, NODE, later, body).status == 400, "the sender itself goes on"


def test_a_nonce_is_not_good_for_the_next_boot(sysplex: Rig, everybody: dict[str, Caller]) -> None:
    peer, keys = everybody["peer"], ring(sysplex)
    signer = introduced(peer, OTHER, keys)
    body = message()
    header, _ = signer.sign(keys, "POST", f"{PATH}ping", body)
    before = sysplex.component("LPAR2", "discovery")["pid"]
    sysplex.ok("kill", "LPAR2", "discovery")
    sysplex.wait_for("LPAR2", "discovery", "ready", not_pid=before)
    assert post(peer, OTHER, header, body).status == 401


def test_the_sysplex_still_is_one(sysplex: Rig, everybody: dict[str, Caller]) -> None:
    for server, other in ((NODE, "LPAR2"), (OTHER, "LPAR1")):
        peers = json.loads(everybody["service"].ask(server, "GET", "/v1/peers").body)
        assert other in json.dumps(peers)
        assert "LPAR3" not in json.dumps(peers)
