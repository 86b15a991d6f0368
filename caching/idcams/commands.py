"""The commands, as they are typed after `plexmesh vsam`."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

import click
import msgspec

from caching import settings
from caching.backends import volume
from caching.backends.data_set import DataSet
from caching.backends.ksds import Attributes
from caching.backends.output import Output
from caching.backends.status import alone
from caching.config import CachingConfig
from caching.idcams import catalog, copying
from caching.idcams.load import Load, Loaded
from caching.idcams.opened import KINDS, Presence, beside, names, opened, presence, require
from caching.limits import Limit
from shared import config
from shared.command import DONE, NOT_AS_WANTED, exit_code
from shared.errors import Conflict, PlexmeshError

UNLIMITED = Limit(None, owner_bytes=1 << 62)


def main(args: list[str] | None = None) -> int:
    """The exit code."""
    return exit_code(vsam, args, "plexmesh vsam")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def vsam() -> None:
    """Data sets on the shared volume. NAME is as in `storage: vsam:NAME`."""


@vsam.command()
@click.argument("name")
@click.option("--key-length", default=Attributes().key_length, show_default=True, help="Bytes of a key, 23 to 255.")
@click.option("--record-length", default=Attributes().record_length, show_default=True, help="Bytes of key and record.")
@click.option("--share", default="rls", show_default=True, help="rls: all write; nonrls: one writes, all read.")
def define(name: str, key_length: int, record_length: int, share: str) -> int:
    """Define a data set; the instances' configuration must say the same attributes."""
    path = _path(name)
    section = {"keyLength": key_length, "recordLength": record_length, "share": share}
    attributes = settings.attributes(section, "define")
    sysplex = config.load(CachingConfig, "caching", (), listens=False).sysplex
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if remark := volume.remark(path.parent):
        click.echo(f"plexmesh: {remark}", err=True)
    if path.exists():
        raise Conflict(f"there is a data set {path.name} already")
    with presence(path, "define") as present, present.locked():
        if path.exists():
            raise Conflict(f"there is a data set {path.name} already")
        DataSet(path, sysplex, attributes, "reject").close()
    click.echo(f"{path.name}: defined")
    return DONE


@vsam.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def listcat(name: str | None, as_json: bool) -> int:
    """Show a data set, or all of the volume."""
    paths = [_path(name)] if name else [_volume() / each for each in names(_volume())]
    found = []
    for path in paths:
        require(path)
        with presence(path, "listcat") as present:
            found.append(catalog.listing(present))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        click.echo("\n\n".join(map(catalog.text, found)) or f"there is no data set in {_volume()}")
    return DONE


@vsam.command()
@click.argument("name")
@click.option("--to", "target", type=click.Path(path_type=Path), metavar="FILE", help="Write a copy.")
@click.option("--from", "source", type=click.Path(path_type=Path), metavar="FILE", help="Bring all of a copy back.")
@click.option("--replace", is_flag=True, help="What is there under the same name gives way.")
def repro(name: str, target: Path | None, source: Path | None, replace: bool) -> int:
    """Copy a data set to a file, or a copy back into one."""
    if (target is None) == (source is None):
        raise click.UsageError("give either --to FILE or --from FILE")
    if target is not None and replace:
        raise click.UsageError("--replace belongs to --from")
    path = _path(name)
    require(path)
    with presence(path, "repro") as present:
        if target is not None:
            return _copy(present, target)
        assert source is not None
        entries = copying.read(source)
        loaded = _load(present, Load(entries, replace))
    click.echo(
        f"{path.name}: {loaded.records} records brought in, {loaded.replaced} of them replaced others, "
        f"{loaded.expired} had expired"
    )
    return DONE


def _copy(present: Presence, target: Path) -> int:
    with opened(present) as data_set:
        done = copying.write(data_set, target)
    click.echo(f"{present.path.name}: {done.records} records copied to {target}")
    for key, why in done.damaged:
        click.echo(f"plexmesh: left out: the record with the key {key.hex()}: {why}", err=True)
    return NOT_AS_WANTED if done.damaged else DONE


def _load(present: Presence, load: Load) -> Loaded:
    with contextlib.ExitStack() as stack:
        data_set = stack.enter_context(opened(present))
        if data_set.attributes.share == "nonrls":
            output = Output(beside(present.path, ".output"), present.who)
            stack.callback(output.close)
            if not output.ours():
                raise Conflict(f"{present.path.name} is NONRLS and open for output by {output.holder()}")
        with present.locked():
            [outcome] = data_set.commit([load], UNLIMITED, int(time.time() * 1000))
    if isinstance(outcome, PlexmeshError):
        raise outcome
    assert isinstance(outcome, Loaded)
    return outcome


@vsam.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(name: str, yes: bool) -> int:
    """Delete a data set with all its entries; refused while anybody has it open."""
    path = _path(name)
    require(path)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"deleting {path.name} cannot be undone; say --yes")
        click.confirm(f"Delete {path.name} with all its entries?", abort=True, err=True)
    try:
        with alone(beside(path, ".status")):
            for kind in KINDS:
                beside(path, kind).unlink(missing_ok=True)
    except Conflict as error:
        raise Conflict(f"{path.name} is not deleted: {error}") from error
    click.echo(f"{path.name}: deleted")
    return DONE


def _volume() -> Path:
    return Path(os.environ.get("PLEXMESH_DATA", ".plexmesh")) / "volume"


def _path(name: str) -> Path:
    return _volume() / settings.data_set_name(name, "NAME")
