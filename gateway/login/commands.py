"""`plexmesh users` and `plexmesh login`. They need no sysplex: running gateways notice what has changed by themselves.

A password is asked for on the terminal, or read from standard input; it is never an argument, which everybody on the
machine can see.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.login import passwords
from gateway.login.credentials import MAX_PASSWORD_BYTES
from gateway.login.key_files import KeyFiles
from gateway.login.ring import Algorithm
from gateway.login.tokens import LIFE_S
from gateway.login.user_file import UserFile
from gateway.login.users import User, Users, check_name
from shared import identity
from shared.command import DONE, exit_code
from shared.errors import BadInput, Conflict, NotFound, nearest

CONTEXT = {"help_option_names": ["-h", "--help"]}


def main(args: list[str] | None = None) -> int:
    """The exit code."""
    return exit_code(both, args, "plexmesh")


@click.group(context_settings=CONTEXT)
def both() -> None:
    """Logins: users, and the keys of their tokens."""


@both.group(context_settings=CONTEXT)
def users() -> None:
    """Who may log in, in the user file that all LPARs share."""


@users.command()
@click.argument("name")
@click.option("--operator", is_flag=True, help="May give orders.")
@click.option("--certificate", metavar="DN", default="", help="Its holder logs in as NAME (CN=ada, O=PLEX1).")
@click.option("--no-password", is_flag=True, help="Logs in with the certificate only, or where z/OSMF knows passwords.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--force", is_flag=True, help="In place of the user of that name.")
def add(name: str, operator: bool, certificate: str, no_password: bool, password_stdin: bool, force: bool) -> int:
    """Add a user, or change one (--force)."""
    check_name(name)
    file = _file()
    if not force:
        _absent(file.read(), name)
    try:
        certificate = identity.normal(certificate) if certificate else ""
    except ValueError as error:
        raise BadInput(f"--certificate: {error}") from error
    hash = "" if no_password else passwords.hashed(_password(name, from_stdin=password_stdin))

    def changed(found: Users) -> Users:
        if not force:
            _absent(found, name)
        return found.changed(name, User(hash, operator, certificate))

    file.change(changed)
    click.echo(f"{name}: added to {file.path}")
    return DONE


@users.command()
@click.argument("name")
def remove(name: str) -> int:
    """Remove a user. Tokens he has are good no more."""

    def changed(found: Users) -> Users:
        if not found.spelled(name):
            raise NotFound(f"there is no user {name}{nearest(name, found.by_name)}")
        return found.changed(name, None)

    _file().change(changed)
    click.echo(f"{name}: removed")
    return DONE


@users.command("list")
def listed() -> int:
    """Who may log in, and how."""
    file = _file()
    found = file.read()
    for name, user in sorted(found.by_name.items()):
        ways = [*(["password"] if user.hash else []), *([user.certificate] if user.certificate else [])]
        click.echo("  ".join([f"{name:<16}", "operator" if user.operator else "        ", "; ".join(ways)]).rstrip())
    if not found:
        click.echo(f"nobody: {file.path}")
    return DONE


@both.group(context_settings=CONTEXT)
def login() -> None:
    """The keys that tokens are signed with. All that are there are believed, the newest signs."""


@login.command()
def keys() -> int:
    """Their ids, and since when they are there."""
    files = KeyFiles(_data())
    ring, faults = files.read()
    for each in reversed(ring.keys):
        signs = "signs" if each is ring.newest else ""
        click.echo(f"{each.id}  {each.algorithm}  {_since(each.made_s)}  {signs}".rstrip())
    for fault in faults:
        click.echo(f"! {fault}")
    if not ring:
        click.echo(f"none yet: the first login makes one in {files.folder}")
    return DONE


@login.command()
@click.option("--algorithm", type=click.Choice(["RS256", "ES256"]), default="RS256", show_default=True)
def rotate(algorithm: Algorithm) -> int:
    """Make a key that signs from now on. Old tokens stay good until their end; keys nothing good can have been signed
    with are dropped. To end every token at once, delete the other files."""
    files, now_s = KeyFiles(_data()), int(time.time())
    key = files.add(algorithm, now_s)
    worn = files.read()[0].worn(now_s, LIFE_S)
    files.drop(worn)
    click.echo(f"{key.id}: signs from now on ({algorithm})")
    for each in worn:
        click.echo(f"{each.id}: dropped, of {_since(each.made_s)}")
    return DONE


def _password(name: str, *, from_stdin: bool) -> str:
    if from_stdin:
        read = sys.stdin.buffer.readline(MAX_PASSWORD_BYTES + 2)
        try:
            given = read.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise BadInput("the password on standard input is not UTF-8") from None
    elif sys.stdin.isatty():
        given = click.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True)
    else:
        raise BadInput("standard input is no terminal to ask for the password at; give it with --password-stdin")
    if not given or "\0" in given or len(given.encode()) > MAX_PASSWORD_BYTES:
        raise BadInput(f"the password: expected 1 to {MAX_PASSWORD_BYTES} bytes without NUL")
    return given


def _absent(found: Users, name: str) -> None:
    if there := found.spelled(name):
        raise Conflict(f"there is a user {there} already; --force puts another one in his place")


def _since(made_s: int) -> str:
    return f"{datetime.fromtimestamp(made_s, UTC):%Y-%m-%d %H:%M:%S}"


def _data() -> Path:
    return Path(os.environ.get("PLEXMESH_DATA", ".plexmesh"))


def _file() -> UserFile:
    return UserFile(_data())
