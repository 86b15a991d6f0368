"""A click command as a program: its exit code, and each error as one line on standard error that a person can act on.

    0 done    1 not as wanted    2 usage, configuration, a name that is not there

Not here: which of a program's own errors have another code; it says so itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import click

from shared.errors import ConfigError, NotFound, PlexmeshError

DONE, NOT_AS_WANTED, USAGE = 0, 1, 2


def exit_code(
    command: click.Command,
    args: Sequence[str] | None,
    name: str,
    *,
    first: Callable[[], None] = lambda: None,
    codes: Mapping[type[PlexmeshError], int] | None = None,
) -> int:
    """`first` is called before; its errors are told like those of the command."""
    try:
        first()
        return int(command.main(args, prog_name=name, standalone_mode=False) or DONE)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        return said(error.format_message(), USAGE)
    except (click.Abort, KeyboardInterrupt):
        return said("interrupted", NOT_AS_WANTED)
    except PlexmeshError as error:
        usual = USAGE if isinstance(error, ConfigError | NotFound) else NOT_AS_WANTED
        return said(str(error), (codes or {}).get(type(error), usual))


def said(text: str, code: int) -> int:
    click.echo(f"plexmesh: {text}", err=True)
    return code
