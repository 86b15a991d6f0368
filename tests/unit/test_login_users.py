"""The user file, the commands that change it, and a password that is tried."""

from __future__ import annotations

import logging
import stat
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.login import commands, passwords
from gateway.login.key_files import KeyFiles
from gateway.login.providers.dummy import Dummy
from gateway.login.providers.user_file import FromFile
from gateway.login.tokens import LIFE_S
from gateway.login.user_file import Directory, UserFile
from gateway.login.users import NOBODY, User, Users, parse
from shared.errors import BadInput, ConfigError
from shared.events import Events

HASH = passwords.hashed("sesame")
DN = "CN=ada, OU=plexmesh client, O=PLEX1"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLEXMESH_DATA", str(tmp_path))
    return tmp_path


def run(*args: str, stdin: str | bytes = "") -> tuple[int, str]:
    """Exit code and what was said."""
    runner = CliRunner()
    with runner.isolation(stdin) as (out, err, _):
        code = commands.main(list(args))
        return code, out.getvalue().decode() + err.getvalue().decode()


def directory(data: Path) -> tuple[Directory, Events]:
    events = Events(logging.getLogger("test"))
    return Directory(UserFile(data), events), events


def test_what_is_written_is_read_again() -> None:
    users = Users({"ada": User(HASH, True, DN), "Bob": User()})
    assert parse(users.tree()).by_name == users.by_name
    assert (users.spelled("BOB"), users.spelled("eve"), users.holder(DN), users.holder("")) == ("Bob", "", "ada", "")


def test_a_certificates_name_is_understood_in_any_spelling() -> None:
    users = parse({"users": {"ada": {"certificate": "cn=ada,ou=plexmesh client,o=PLEX1"}}})
    assert users.holder(DN) == "ada"


@pytest.mark.parametrize(
    ("tree", "why"),
    [
        (None, "expected one key"), ([], "expected one key"), ({"user": {}}, "expected one key"),
        ({"users": []}, None), ({"users": ["ada"]}, "expected names"), ({"users": {"ada": None}}, "users.ada"),
        ({"users": {"ada": {"hash": "sesame"}}}, "users.ada.hash"), ({"users": {"ada": {"hash": 7}}}, "users.ada"),
        ({"users": {"ada": {"hash": HASH.replace("argon2id", "argon2i")}}}, "users.ada.hash"),
        ({"users": {"ada": {"password": "x"}}}, "users.ada"), ({"users": {"ada": {"operator": "yes"}}}, "users.ada"),
        ({"users": {"a b": {}}}, "a user's name"), ({"users": {"": {}}}, "a user's name"),
        ({"users": {"ada": {}, "ADA": {}}}, "is there twice"),
        ({"users": {"ada": {"certificate": "ada"}}}, "certificate"),
        ({"users": {"ada": {"certificate": DN}, "bob": {"certificate": DN}}}, "same certificate"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_it_is_named(tree: object, why: str | None) -> None:
    if why is None:
        assert len(parse(tree)) == 0
        return
    with pytest.raises(BadInput, match=why) as refused:
        parse(tree)
    assert "sesame" not in str(refused.value)


def test_users_are_added_listed_and_removed(data: Path) -> None:
    assert run("users", "list") == (0, f"nobody: {data}/volume/login/users.yaml\n")
    code, said = run("users", "add", "ada", "--operator", "--certificate", DN, "--password-stdin", stdin="sesame\n")
    assert (code, "added" in said, "sesame" in said) == (0, True, False)
    assert run("users", "add", "bob", "--no-password")[0] == 0
    path = UserFile(data).path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "sesame" not in path.read_text()
    assert run("users", "list")[1].split("\n") == [
        f"ada               operator  password; {DN}", "bob", "",
    ]  # fmt: skip
    code, said = run("users", "add", "ADA", "--password-stdin", stdin="other\n")
    assert (code, "there is a user ada already" in said) == (1, True)
    assert run("users", "add", "ADA", "--password-stdin", "--force", stdin="other\n")[0] == 0
    found = UserFile(data).read()
    assert list(found.by_name) == ["ADA", "bob"]
    assert passwords.matches(found.by_name["ADA"].hash, "other")
    assert run("users", "remove", "Ada")[0] == 0
    code, said = run("users", "remove", "ada")
    assert (code, "there is no user ada" in said) == (2, True)


@pytest.mark.parametrize(
    ("args", "stdin"),
    [
        (("add", "a b", "--password-stdin"), "x\n"), (("add", "ada", "--password-stdin"), "\n"),
        (("add", "ada", "--password-stdin"), b"\xff\n"), (("add", "ada", "--password-stdin"), "x" * 1025),
        (("add", "ada"), ""), (("add", "ada", "--certificate", "ada", "--no-password"), ""), (("remove", "ada"), ""),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(data: Path, args: tuple[str, ...], stdin: str | bytes) -> None:
    code, said = run("users", *args, stdin=stdin)
    assert code != 0
    assert len(said.strip().splitlines()) == 1
    assert not UserFile(data).path.exists()


def test_keys_are_rotated(data: Path) -> None:
    assert "none yet" in run("login", "keys")[1]
    files = KeyFiles(data)
    old = files.add("ES256", int(time.time()) - 3 * LIFE_S)
    middle = files.add("ES256", int(time.time()) - 2 * LIFE_S)
    code, said = run("login", "rotate", "--algorithm", "ES256")
    assert (code, f"{old.id}: dropped" in said) == (0, True)
    ring = files.read()[0]
    assert len(ring.keys) == 2
    assert [line.split()[0] for line in run("login", "keys")[1].splitlines()] == [ring.newest.id, middle.id]


async def test_a_file_is_read_when_it_changes_and_a_bad_one_changes_nothing(data: Path) -> None:
    found, events = directory(data)
    assert await found.users() is NOBODY
    UserFile(data).change(lambda users: users.changed("ada", User(HASH)))
    assert (await found.users()).get("ada") == User(HASH)
    UserFile(data).path.write_text("users: [")
    for _ in range(3):
        assert len(await found.users()) == 1
    assert [each.event for each in events.last()] == ["login.users", "login.users_refused"]
    with pytest.raises(ConfigError, match=r"users\.yaml"):
        UserFile(data).change(lambda users: users)
    UserFile(data).path.unlink()
    assert len(await found.users()) == 0


async def test_the_right_password_of_a_user_and_no_other(data: Path) -> None:
    found, _ = directory(data)
    UserFile(data).change(lambda _: Users({"Ada": User(HASH), "bob": User()}))
    provider = FromFile(found)
    assert await provider.verify("ADA", "sesame") == "Ada"
    for user, password in (("ada", "Sesame"), ("ada", ""), ("bob", ""), ("bob", "sesame"), ("eve", "sesame")):
        assert await provider.verify(user, password) == ""


def test_an_unknown_user_costs_what_a_known_one_does() -> None:
    costly = passwords.nobodys(HASH.replace("m=19456", "m=38912"))
    assert "m=38912" in costly
    assert not passwords._match("", "sesame", HASH)


async def test_the_dummy_knows_one_user() -> None:
    assert await Dummy().verify("USER", "user") == "user"
    for user, password in (("user", "USER"), ("user", ""), ("ada", "user"), ("user", "\ud800")):
        assert await Dummy().verify(user, password) == ""
    assert "anybody can log in" in Dummy.notice
