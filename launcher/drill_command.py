"""`plexmesh drill`. Heavy imports stand inside, as in `launcher.cli`.

Not here: the drills, and how one is done (`launcher.drill`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import click

from launcher import place
from launcher.options import config_option, data_option
from shared.command import DONE


@click.command("drill")
@click.argument("names", nargs=-1, metavar="[DRILL | FILE]...")
@click.option("--list", "listing", is_flag=True, help="Show the drills there are.")
@click.option("--target", type=click.Choice(["local", "compose"]), default="local", help="What is broken.")
@click.option("--own", is_flag=True, help="Start a sysplex for it, also where one is running.")
@click.option("--control/--no-control", default=True, help="Beside it the model of what Zowe documents.")
@click.option("--behaviour", type=click.Choice(["plexmesh", "zowe"]), default="plexmesh", help="zowe: the model only.")
@click.option("--speed", type=click.FloatRange(1, 100), default=10.0, help="Of the model's timers.")
@click.option("--without", metavar="GUARD,...", default="", help="Beside it plexmesh without each of these.")
@click.option("--load", type=click.Choice(["own", "external"]), default="own", help="external: your own tool's.")
@click.option("--rate", type=click.FloatRange(1, 5000), metavar="N", help="Calls a second instead of the drill's.")
@click.option("--seed", type=int, default=1, help="Of what is left to chance.")
@click.option("--report", metavar="DIR", help="Where the reports go; default: drills in the data folder.")
@click.option("--json", "as_json", is_flag=True, help="Only print where the reports are, for machines.")
@click.option("--progress", is_flag=True, help="What happens, as it happens: a JSON object a line.")
@data_option
@config_option
def drill_command(
    names: tuple[str, ...],
    listing: bool,
    target: str,
    own: bool,
    control: bool,
    behaviour: str,
    speed: float,
    without: str,
    load: str,
    rate: float | None,
    seed: int,
    report: str | None,
    as_json: bool,
    progress: bool,
    data: str | None,
    config: str | None,
) -> int:
    """Break something on purpose under load, and say whether what is promised held.

    DRILL is one of ours (--list) or `all`, FILE one of yours. It is done to the sysplex that runs here, or to one of
    its own.
    Exit code 0 when everything was as expected.
    """
    from launcher.drill import scenario as drills

    if listing or not names:
        for each in map(drills.load, drills.names()):
            only = "" if target in each.targets else f" (--target {each.targets[0]})"
            click.echo(f"{each.name:20}{each.title}{only}")
        return DONE
    from shared import guards

    left_out = tuple(each.strip() for each in without.split(",") if each.strip())
    guards.check(left_out, "--without")
    wanted = drills.names() if names == ("all",) else names
    known = [drills.load(name) for name in wanted]
    given = {scenario.name: name for name, scenario in zip(wanted, known, strict=True)}
    options_given = besides(sys.argv[2:], names)
    scenarios = [each for each in known if target in each.targets] if names == ("all",) else known

    from launcher.compose import Compose
    from launcher.drill.progress import to_stdout
    from launcher.drill.session import Options, Session
    from shared import plexfile
    from shared.lifecycle import run as run_lifecycle

    folder = place.data_folder(data)
    place.make_data_folder(folder)
    program = place.program(folder)
    options = Options(
        target=target,
        own=own,
        control=control,
        behaviour=behaviour,
        speed=speed,
        without=left_out,
        external=load == "external",
        rate=rate,
        seed=seed,
        folder=Path(report) if report else folder / "drills",
        command=lambda name: program.command(" ".join(("drill", given[name], *options_given))),
        as_json=as_json,
        progress=to_stdout if progress else None,
    )
    session = Session(plexfile.read(place.config_file(config)), folder, options, lambda: Compose(folder))
    code = run_lifecycle(lambda lifecycle: session.run(lifecycle, scenarios))
    if as_json:
        for done, path in session.reports:
            click.echo(json.dumps({"drill": done.scenario, "passed": done.passed, "report": str(path)}))
    return code


def besides(arguments: Sequence[str], names: Collection[str]) -> list[str]:
    """The options that say how to do it again; the data folder is said anyway where it has to be."""
    found: list[str] = []
    rest = iter(arguments)
    for each in rest:
        if each == "--data":
            next(rest, None)
        elif each not in names and each != "--progress" and not each.startswith("--data="):
            found.append(each)
    return found
