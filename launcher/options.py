"""Options that several commands have."""

from __future__ import annotations

import click

from launcher import place, secure


def _work_with(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Whatever the command calls with TLS, its certificates are those of this folder."""
    secure.work_with(place.data_folder(value))
    return value


data_option = click.option(
    "--data",
    metavar="DIR",
    callback=_work_with,
    help="Data folder (PLEXMESH_DATA, else the nearest .plexmesh).",
)
config_option = click.option(
    "--config", metavar="FILE", help="Default: PLEXMESH_CONFIG, else the nearest plexmesh.yaml."
)
compose_option = click.option(
    "--compose",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="The sysplex in containers of that compose file; default: the nearest compose.yaml.",
)
tls_option = click.option(
    "--tls", "with_tls", is_flag=True, help="TLS everywhere; certificates that are missing are made."
)
gateway_option = click.option("--gateway", metavar="URL", help="Ask that one; default: one of the sysplex here.")
