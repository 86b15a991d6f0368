"""`plexmesh config`. Heavy imports stand inside, as in `launcher.cli`.

Not here: what the configuration amounts to (`launcher.configuration`).
"""

from __future__ import annotations

import json
import os

import click

from launcher import place
from launcher.options import config_option, data_option
from shared.command import DONE


@click.group("config")
def config_group() -> None:
    """What the configuration amounts to."""


@config_group.command("check")
@data_option
@config_option
def config_check(data: str | None, config: str | None) -> int:
    """Read all of it as every component would; exit code 2 and one line when something is wrong."""
    from launcher import configuration
    from shared import plexfile

    file = plexfile.read(place.config_file(config))
    if file.ignored:
        click.echo(f"plexmesh: {file.path}: keys that do not apply here: {', '.join(file.ignored)}", err=True)
    configuration.check(file, place.data_folder(data), dict(os.environ) | {"PLEXMESH_CONFIG": str(file.path)})
    click.echo(f"{file.path}: good: {len(file.lpars)} LPARs, {', '.join(file.components) or 'no components'}")
    return DONE


@config_group.command("show")
@click.argument("lpar")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@data_option
@config_option
def config_show(lpar: str, as_json: bool, data: str | None, config: str | None) -> int:
    """Every value as LPAR sees it, with where it comes from."""
    from launcher import configuration
    from shared import plexfile

    file = plexfile.read(place.config_file(config))
    environ = dict(os.environ) | {"PLEXMESH_CONFIG": str(file.path)}
    found = configuration.values(file, place.data_folder(data), environ, lpar)
    if as_json:
        click.echo(json.dumps({each.key: {"value": each.value, "origin": each.origin} for each in found}))
    else:
        click.echo(configuration.as_text(found))
    return DONE
