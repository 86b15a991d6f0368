"""Logins in a sysplex: real gateways of two LPARs, a real cache, one volume. A token of one is good at the other,
whoever dies; a logout is known everywhere; and nothing else opens the door."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from gateway.login.key_files import KeyFiles
from gateway.login.ring import SigningKey
from gateway.login.tokens import LIFE_S, Token, sign
from tests.integration.launcher_rig import N, Rig, poll

HOSTS = {"LPAR1": f"127.0.150.{N}", "LPAR2": f"127.0.151.{N}"}
VIPA_HOST = f"127.0.152.{N}"
SERVICE = f"127.0.154.{N}"
ONE, OTHER = HOSTS.values()
AUTH = "/gateway/api/v1/auth"
SECRET = "open-sesame-pässwörd"
SHOWN: set[str] = {SECRET, base64.b64encode(f"ada:{SECRET}".encode()).decode()}
"""What must not be in any log: passwords and tokens that were used."""


@dataclass
class Got:
    status: int
    headers: Message
    body: bytes

    @property
    def number(self) -> str:
        return str(json.loads(self.body)["messages"][0]["messageNumber"])

    @property
    def token(self) -> str:
        cookie = self.headers["Set-Cookie"]
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict"), cookie  # no Secure in plain
        found = cookie.partition("=")[2].partition(";")[0]
        SHOWN.add(found)
        return str(found)


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(host: str, path: str, method: str = "GET", data: bytes | None = None, **headers: str) -> Got:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(f"http://{host}:7554{path}", data, fields, method=method)
    try:
        with OPENER.open(asked, timeout=10) as answer:
            return Got(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Got(error.code, error.headers, error.read())


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def login(host: str, user: str = "ada", password: str = SECRET) -> Got:
    return ask(host, f"{AUTH}/login", "POST", b"", Authorization=basic(user, password))


def query(host: str, token: str) -> Got:
    return ask(host, f"{AUTH}/query", Cookie=f"apimlAuthenticationToken={token}")


def logout(host: str, token: str) -> Got:
    return ask(host, f"{AUTH}/logout", "POST", b"", Authorization=f"Bearer {token}")


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("login"), externalDomains=[VIPA_HOST])
    rig.tree["components"] = {"discovery": {}, "gateway": {}, "caching": {}}
    rig.tree["haInstances"] = {name: {"hostname": host} for name, host in HOSTS.items()}
    rig.tree["plexmesh"] = {"sysplex": "LOGIN", "address": f"{VIPA_HOST}:7550"}
    try:
        rig.up(within_s=30.0)
        yield rig
    finally:
        rig.close()


def add(rig: Rig, name: str, *more: str, password: str = SECRET) -> None:
    import subprocess

    from tests.integration.launcher_rig import PROGRAM

    args = ["users", "--data", str(rig.data), "add", name, "--password-stdin", *more]
    done = subprocess.run([PROGRAM, *args], input=password, env=rig.environ, cwd=rig.folder, text=True, timeout=30)
    assert done.returncode == 0


def health(host: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask(host, "/application/health").body)["components"]["login"]["details"]
    return found


def keys(rig: Rig) -> KeyFiles:
    return KeyFiles(rig.data)


def test_without_a_user_file_nobody_can_log_in_and_health_says_what_to_do(sysplex: Rig) -> None:
    assert (login(ONE).status, login(ONE).number) == (401, "ZWEAG120E")
    assert health(ONE)["why"] == ["nobody can log in yet: plexmesh users add NAME"]
    add(sysplex, "ada", "--operator")
    add(sysplex, "bob")
    for host in HOSTS.values():
        assert (health(host)["users"], health(host)["why"]) == (2, [])


def test_a_token_of_one_gateway_is_good_at_the_other(sysplex: Rig) -> None:
    token = login(ONE).token
    for host in (ONE, OTHER, VIPA_HOST):
        got = query(host, token)
        assert got.status == 200
        said = json.loads(got.body)
        assert (said["userId"], said["domain"], said["expired"]) == ("ada", "security-domain", False)
        assert said["creation"] < said["expiration"]
        assert said["creation"].endswith(".000+00:00")
    body = json.dumps({"username": "ADA", "password": SECRET}).encode()
    other = ask(OTHER, f"{AUTH}/login", "POST", body, Content_Type="application/json").token
    assert ask(ONE, f"{AUTH}/query", Authorization=f"Bearer {other}").status == 200
    assert len(keys(sysplex).read()[0].keys) == 1


def test_keys_are_published_and_what_is_secret_of_them_is_not(sysplex: Rig) -> None:
    sets = [json.loads(ask(host, f"{AUTH}/keys/public/{which}").body) for host in HOSTS.values() for which in
            ("all", "current")]  # fmt: skip
    ring = keys(sysplex).read()[0]
    assert all(each == ring.key_set() for each in sets)
    pem = ask(ONE, f"{AUTH}/keys/public")
    assert (pem.status, pem.body.decode()) == (200, ring.newest.public_pem)
    assert b'"d"' not in ask(ONE, f"{AUTH}/keys/public/all").body


def test_a_logout_is_known_to_the_other_within_a_second_and_after_a_restart(sysplex: Rig) -> None:
    token, stays = login(ONE).token, login(ONE).token
    assert query(OTHER, token).status == 200
    got = logout(ONE, token)
    assert got.status == 204
    assert "Max-Age=0" in got.headers["Set-Cookie"]
    assert query(ONE, token).number == "ZWEAG130E"
    poll("the other knows", lambda: query(OTHER, token).status == 401, within_s=1.0)
    assert logout(OTHER, token).status == 401
    pid = sysplex.component("LPAR2", "gateway")["pid"]
    sysplex.ok("kill", "LPAR2", "gateway")
    sysplex.wait_for("LPAR2", "gateway", "ready", not_pid=pid)
    assert query(OTHER, token).status == 401
    assert query(OTHER, stays).status == 200


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_forged_and_worn_tokens_open_nothing(sysplex: Rig) -> None:
    own, stranger = keys(sysplex).read()[0].newest, SigningKey.generate("RS256", 0)
    now = int(time.time())
    fresh = Token("ada", now, now + 60, "forged")
    head, claims, signature = login(ONE).token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    confused = f"{part({'alg': 'HS256', 'kid': own.id})}.{claims}"
    with_public_key = part(hmac.digest(own.public_pem.encode(), confused.encode(), hashlib.sha256))
    forged = {
        "no algorithm": f"{part({'alg': 'none', 'kid': own.id})}.{claims}.",
        "another algorithm": f"{confused}.{with_public_key}",
        "a foreign key": sign(fresh, stranger),
        "a foreign key under our name": sign(fresh, stranger).replace(sign(fresh, stranger).split(".")[0], head),
        "other claims": f"{head}.{part({**said, 'sub': 'root'})}.{signature}",
        "nothing": "x",
    }
    for host in HOSTS.values():
        for what, token in forged.items():
            got = query(host, token)
            assert (got.status, got.number) == (401, "ZWEAG130E"), what
            assert logout(host, token).number == "ZWEAG130E", what
        worn = sign(Token("ada", now - LIFE_S - 1, now - 1, "worn"), own)
        assert (query(host, worn).status, query(host, worn).number) == (401, "ZWEAT100E")
        nobody = sign(Token("nobody", now, now + 60, "nobody"), own)
        assert query(host, nobody).number == "ZWEAG130E"  # no user, or none any more
        assert query(host, sign(fresh, own)).status == 200


def test_what_is_malformed_has_zowes_answers(sysplex: Rig) -> None:
    post = f"{AUTH}/login"
    told = [
        (ask(ONE, post, "POST", b""), 400, "ZWEAG121E"),
        (ask(ONE, post, "POST", b"", Authorization="Basic !"), 400, "ZWEAG121E"),
        (ask(ONE, post, "POST", b"", Authorization=basic("a\0da", "x")), 400, "ZWEAG121E"),
        (ask(ONE, post, "POST", b"", Authorization=basic("a" * 5000, "x")), 400, "ZWEAG121E"),
        (ask(ONE, post, "POST", b'{"username":"ada"}'), 400, "ZWEAG121E"),
        (ask(ONE, post, "POST", b"x" * 100_000), 400, "ZWEAG121E"),
        (ask(ONE, post, "POST", b"", Authorization=basic("ada", "wrong")), 401, "ZWEAG120E"),
        (ask(ONE, post), 405, "ZWEAG101E"),
        (ask(ONE, f"{AUTH}/query", "POST", b""), 405, "ZWEAG101E"),
        (ask(ONE, f"{AUTH}/query"), 401, "ZWEAG131E"),
        (ask(ONE, f"{AUTH}/logout", "POST", b""), 401, "ZWEAG131E"),
        (ask(ONE, f"{AUTH}/refresh", "POST", b""), 404, "ZWEAO404E"),
    ]
    for got, status, number in told:
        assert (got.status, got.number) == (status, number)
    for got, *_ in told:
        assert "Set-Cookie" not in got.headers


def test_pages_of_others_log_nobody_in_or_out(sysplex: Rig) -> None:
    token = login(ONE).token
    foreign = {"Origin": "http://evil.example", "Authorization": basic("ada", SECRET)}
    assert ask(ONE, f"{AUTH}/login", "POST", b"", **foreign).status == 403
    assert ask(ONE, f"{AUTH}/login", "POST", b"", **{**foreign, "Origin": "null"}).status == 403
    foreign = {"Origin": "http://evil.example", "Cookie": f"apimlAuthenticationToken={token}"}
    assert ask(ONE, f"{AUTH}/logout", "POST", b"", **foreign).status == 403
    assert query(ONE, token).status == 200
    own = {"Origin": f"http://{ONE}:7554", "Authorization": basic("ada", SECRET)}
    assert ask(ONE, f"{AUTH}/login", "POST", b"", **own).status == 204


class Echo(http.server.BaseHTTPRequestHandler):
    """Says what it was sent."""

    def do_GET(self) -> None:
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def a_service_that_wants_tokens() -> Iterator[None]:
    """Registered as `secured`."""
    server = http.server.ThreadingHTTPServer((SERVICE, 9000), Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    told = {"service": "secured", "host": SERVICE, "port": 9000, "lease_s": 60,
            "metadata": {"apiml.authentication.scheme": "zoweJwt"}}  # fmt: skip
    body = json.dumps({"instances": [told]}).encode()
    asked = urllib.request.Request(f"http://{ONE}:7553/v1/instances", body, {"Content-Type": "application/json"})
    try:
        OPENER.open(asked, timeout=5).close()
        for host in HOSTS.values():
            poll("it is routed", lambda host=host: ask(host, "/secured/api/v1/x").status == 200)
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sent(host: str, **headers: str) -> dict[str, str]:
    """What the service got; the caller is told of a failure as well."""
    got = ask(host, "/secured/api/v1/x", **headers)
    assert got.status == 200
    found: dict[str, str] = json.loads(got.body)
    assert found.get("x-zowe-auth-failure") == got.headers["X-Zowe-Auth-Failure"]
    return found


def test_a_service_is_sent_good_tokens_only_through_every_gateway(sysplex: Rig) -> None:
    token = login(ONE).token
    with a_service_that_wants_tokens():
        for host in HOSTS.values():
            for shown in ({"Cookie": f"a=1; apimlAuthenticationToken={token}"}, {"Authorization": f"Bearer {token}"}):
                found = sent(host, **shown)
                assert found["cookie"].endswith(f"apimlAuthenticationToken={token}")
                assert "authorization" not in found
                assert "x-zowe-auth-failure" not in found
            assert sent(host)["x-zowe-auth-failure"].startswith("ZWEAG160E ")
            forged = sent(host, Cookie=f"apimlAuthenticationToken={token[:-9]}forgery00")
            assert forged["x-zowe-auth-failure"].startswith("ZWEAG102E ")
            assert "cookie" not in forged
        assert logout(ONE, token).status == 204

        def out(host: str) -> bool:
            found = sent(host, Authorization=f"Bearer {token}")
            return "cookie" not in found and found["x-zowe-auth-failure"].startswith("ZWEAG102E ")

        for host in HOSTS.values():
            poll("the logout is known", lambda host=host: out(host), within_s=1.0)


def test_a_new_key_signs_and_old_tokens_stay_good(sysplex: Rig) -> None:
    before = login(ONE).token
    sysplex.ok("login", "rotate", "--algorithm", "ES256")
    added = keys(sysplex).read()[0].newest

    def signed_anew() -> str:
        token = login(ONE).token
        head = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
        return token if head["kid"] == added.id else ""

    after = poll("the new key signs", signed_anew)
    for host in HOSTS.values():
        assert query(host, before).status == query(host, after).status == 200
        assert len(json.loads(ask(host, f"{AUTH}/keys/public/all").body)["keys"]) == 2


def test_who_guesses_must_wait_and_others_need_not(sysplex: Rig) -> None:
    tries = [login(ONE, "eve", f"guess {n}") for n in range(7)]
    assert [each.status for each in tries] == [401] * 5 + [429] * 2
    assert tries[-1].number == "ZWEAG510E"
    assert 0 < int(tries[-1].headers["Retry-After"]) <= 60
    assert login(ONE, "EVE").status == 429
    assert login(ONE).status == 204


def test_a_user_who_is_removed_is_out(sysplex: Rig) -> None:
    token = login(ONE, "bob").token
    assert query(OTHER, token).status == 200
    sysplex.ok("users", "remove", "bob")
    assert login(ONE, "bob").status == 401
    assert query(OTHER, token).status == 401


def test_a_token_outlives_the_lpar_that_made_it(sysplex: Rig) -> None:
    token, out = login(ONE).token, login(ONE).token
    assert logout(ONE, out).status == 204
    sysplex.ok("kill", "LPAR1")
    assert query(OTHER, token).status == query(VIPA_HOST, token).status == 200
    assert query(OTHER, out).status == 401
    assert logout(OTHER, token).status == 204
    sysplex.ok("start", "LPAR1")
    sysplex.wait_for("LPAR1", "gateway", "ready")
    poll("it is known to the one that has come back", lambda: query(ONE, token).status == 401)
    assert query(ONE, out).status == 401


def test_without_the_cache_no_token_is_taken_and_no_logout_is_promised(sysplex: Rig) -> None:
    token = login(ONE).token
    for lpar in HOSTS:
        sysplex.ok("stop", lpar, "caching")
    poll("it is noticed", lambda: query(ONE, token).status == 503)
    for host in HOSTS.values():
        got = query(host, token)
        assert (got.status, got.number) == (503, "ZWEAO503E")
        assert logout(host, token).status == 503
    for lpar in HOSTS:
        sysplex.ok("start", lpar, "caching")
    for host in HOSTS.values():
        poll("it is good again", lambda host=host: query(host, token).status == 200)


def test_no_password_and_no_token_is_in_any_log(sysplex: Rig) -> None:
    poll("logins are logged", lambda: "login.admitted" in sysplex.logged("LPAR1", "gateway"))
    files = [path for path in sysplex.data.rglob("*.log*") if path.is_file()]
    assert any(path.name == "gateway-access.log" for path in files)
    written = "".join(path.read_text(errors="replace") for path in files)
    for host in HOSTS.values():
        written += ask(host, "/application/metrics").body.decode()
        written += ask(host, "/application/health").body.decode()
    assert "/auth/login" in written
    for secret in SHOWN:
        assert len(secret) > 10
        assert secret not in written
        assert secret.rpartition(".")[2] not in written
    assert "guess " not in written


def test_files_of_logins_are_for_their_owner_alone(sysplex: Rig) -> None:
    folder: Path = sysplex.data / "volume" / "login"
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".pem" for path in found)
    for path in (*found, folder, folder / "keys"):
        if path.suffix in (".pem", ".yaml") or path.is_dir():
            assert not path.stat().st_mode & 0o077, path
