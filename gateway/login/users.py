"""What the user file says: the stand-in for a security database that all systems of a sysplex share.

    users:
      ada:
        hash: $argon2id$v=19$…        of the password; none: there is no login by password
        operator: true                may give orders
        certificate: CN=ada, OU=…     whoever shows a certificate of this name is ada

Upper and lower case are one user; the spelling in the file is the one in tokens.

Sources: RFC 9106 (Argon2id).
Not here: the file (`user_file`), trying a password (`passwords`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from shared import identity
from shared.errors import BadInput

NAME = re.compile(r"[A-Za-z0-9@#$._-]{1,64}", re.ASCII)
HASH = re.compile(r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+", re.ASCII)


class User(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    hash: str = ""
    operator: bool = False
    certificate: str = ""
    """In the one spelling of a distinguished name."""


class Users:
    def __init__(self, users: Mapping[str, User]) -> None:
        """Raises BadInput: a name or a certificate is there twice, or cannot be."""
        self.by_name = dict(users)
        self._spelled = {name.casefold(): name for name in users}
        self._certificates = {user.certificate: name for name, user in users.items() if user.certificate}
        for name in users:
            check_name(name)
            if self._spelled[name.casefold()] != name:
                raise BadInput(f"users.{name}: is there twice (upper and lower case are one)")
        if len(self._certificates) < sum(bool(user.certificate) for user in users.values()):
            raise BadInput("users: two have the same certificate")

    def __len__(self) -> int:
        return len(self.by_name)

    def spelled(self, name: str) -> str:
        """The name as the file has it; empty: there is none."""
        return self._spelled.get(name.casefold(), "")

    def get(self, name: str) -> User | None:
        return self.by_name.get(self.spelled(name))

    def holder(self, certificate: str) -> str:
        """Whose certificate has that name; empty: nobody's."""
        return self._certificates.get(certificate, "") if certificate else ""

    def changed(self, name: str, user: User | None) -> Users:
        """With that user in place of the one of the same name; None: without him."""
        kept = {each: found for each, found in self.by_name.items() if each.casefold() != name.casefold()}
        return Users(kept if user is None else {**kept, name: user})

    def tree(self) -> dict[str, Any]:
        """As YAML has it."""
        return {"users": msgspec.to_builtins(self.by_name)}


NOBODY = Users({})


def check_name(name: str) -> str:
    """Raises BadInput."""
    if not NAME.fullmatch(name):
        raise BadInput(f"{name!r}: a user's name has 1 to 64 of letters, digits and @#$._-")
    return name


def parse(tree: object) -> Users:
    """Raises BadInput, which quotes nothing but names."""
    if not isinstance(tree, Mapping) or set(tree) != {"users"}:
        raise BadInput("expected one key, users")
    said = tree["users"] or {}
    if not isinstance(said, Mapping):
        raise BadInput("users: expected names, each with hash, operator, certificate")
    return Users({str(name): _user(str(name), below) for name, below in said.items()})


def _user(name: str, said: object) -> User:
    try:
        user = msgspec.convert(said, User)
    except msgspec.ValidationError as error:
        raise BadInput(f"users.{name}: {error}") from error
    if user.hash and not HASH.fullmatch(user.hash):
        raise BadInput(f"users.{name}.hash: expected what plexmesh users add writes, $argon2id$…")
    try:
        named = identity.normal(user.certificate) if user.certificate else ""
    except ValueError as error:
        raise BadInput(f"users.{name}.certificate: {error}") from error
    return msgspec.structs.replace(user, certificate=named)
