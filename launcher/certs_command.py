"""`plexmesh certs`. Heavy imports stand inside, as in `launcher.cli`.

Not here: what is in a certificate (`launcher.certs`), its files (`launcher.certificate_files`).
"""

from __future__ import annotations

import asyncio
import datetime
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from launcher import place
from launcher.options import config_option, data_option
from shared.command import DONE, NOT_AS_WANTED
from shared.latest import LOOK_S, Latest

if TYPE_CHECKING:
    from shared.plexfile import CertificateFiles, Plexfile


@click.group("certs")
def certs_group() -> None:
    """Certificates: an authority of the sysplex, one for each LPAR, and those of clients."""


@certs_group.command("init")
@click.option("--name", "names", metavar="NAME", multiple=True, help="A further name or address of every LPAR.")
@click.option("--force", is_flag=True, help="New ones for LPARs that have one; running processes take them over.")
@data_option
@config_option
def certs_init(names: tuple[str, ...], force: bool, data: str | None, config: str | None) -> int:
    """Make what is missing: the authority, and a certificate for each LPAR of plexmesh.yaml."""
    from launcher.certificate_files import Certificates
    from shared import plexfile

    folder = place.data_folder(data)
    place.make_data_folder(folder)
    made = Certificates(folder).init(plexfile.read(place.config_file(config)), list(names), _now(), anew=force)
    for path in made:
        click.echo(f"made {path}")
    if not made:
        click.echo("everything is there already; --force makes the LPARs' anew")
    return DONE


@certs_group.command("issue")
@click.argument("name")
@click.option("--password", metavar="TEXT", envvar="PLEXMESH_P12_PASSWORD", help="Of NAME.p12; default: a random one.")
@click.option("--host", "hosts", metavar="HOST", multiple=True, help="Of a service: a name or address it answers at.")
@click.option("--operator", is_flag=True, help="Its holder may give orders to launchers, gateways and `up`.")
@click.option("--force", is_flag=True, help="Another one in place of the one that is there.")
@data_option
def certs_issue(
    name: str, password: str | None, hosts: tuple[str, ...], operator: bool, force: bool, data: str | None
) -> int:
    """A certificate for a client or a service: NAME.pem, NAME.key, and both as NAME.p12."""
    from launcher.certificate_files import Certificates

    hidden, files = password or secrets.token_urlsafe(12), Certificates(place.data_folder(data))
    for path in files.issue(name, hidden, _now(), places=hosts, anew=force, operator=operator):
        click.echo(f"made {path}")
    if not password:
        click.echo(f"password of {name}.p12: {hidden}")
    return DONE


@certs_group.command("show")
@data_option
def certs_show(data: str | None) -> int:
    """Whose they are, what names they hold, how long they are good; exit code 1 when one has to be renewed."""
    from launcher.certificate_files import Certificates
    from shared import validity

    now, worn = _now(), False
    for each in Certificates(place.data_folder(data)).show():
        warning = validity.warning(each.until, now)
        worn = worn or bool(warning)
        parts = [f"{each.file:<16}", f"{each.until:%Y-%m-%d}", each.subject, ", ".join(each.places)]
        click.echo("  ".join(filter(None, [*parts, warning and f"! {warning}"])))
    return NOT_AS_WANTED if worn else DONE


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def make_certificates(folder: Path, file: Plexfile) -> list[Path]:
    """Those that are missing. Raises ConfigError."""
    from launcher.certificate_files import Certificates

    return Certificates(folder).init(file, [], _now())


def make_certificate(folder: Path, file: Plexfile, lpar: str, host: str) -> list[Path]:
    """Of one LPAR, which may be a container, when it or a name in it is missing. Raises ConfigError."""
    from launcher.certificate_files import Certificates

    return Certificates(folder).init_lpar(file, lpar, host, _now())


async def follow_certificate(folder: Path, file: Plexfile, lpar: str, source: CertificateFiles) -> None:
    """As long as the LPAR runs: what zowe.certificate names is taken again when it was exchanged. Processes find it
    where it is put, as they find any new certificate."""
    from launcher.certificate_files import Certificates

    latest = Latest(source, lambda: Certificates(folder).take(file, lpar))
    while True:
        await asyncio.sleep(LOOK_S)
        await asyncio.to_thread(latest.get)
