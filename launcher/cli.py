"""The `plexmesh` command.

Exit codes: 0 done; 1 not as wanted (not running, not all ready); 2 usage, configuration, port, Python; 3 no sysplex.
`register` with a command has that command's, or 126 or 127 when it cannot be started.
An error is one line on standard error. Heavy imports stand inside the commands that need them, so that `--help` and
`status` answer at once.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from launcher import lock, place, secure
from launcher.certs_command import certs_group, make_certificates
from launcher.config_command import config_group
from launcher.drill_command import drill_command
from launcher.options import compose_option, config_option, data_option, gateway_option, tls_option
from shared.command import DONE, NOT_AS_WANTED, exit_code, said
from shared.errors import ConfigError, NotFound, PlexmeshError, Unavailable, nearest

if TYPE_CHECKING:
    from launcher.compose import Compose
    from launcher.control import Control
    from shared import wire

NO_SYSPLEX = 3

DOWN_WITHIN_S = 45.0
STATUS_WITHIN_S = 5.0
"""How long a second `up` waits for a first one that has only begun."""

WANTED: dict[str, tuple[wire.ComponentState, ...]] = {
    "kill": ("starting", "ready", "paused", "stopped", "failed"),
    "pause": ("paused",),
    "resume": ("ready",),
    "stop": ("stopped",),
    "start": ("ready",),
}


class NoSysplex(PlexmeshError):
    """Nobody runs the sysplex of this data folder."""


def main(args: list[str] | None = None) -> int:
    """The exit code."""
    return exit_code(cli, args, "plexmesh", first=_check_python, codes={NoSysplex: NO_SYSPLEX})


def _check_python() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - run from a clone, nothing else has checked it
        raise ConfigError(f"Python 3.11 or later is needed, this is {sys.version.split()[0]}")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="plexmesh-sysplex", prog_name="plexmesh")
def cli() -> None:
    """A sysplex of simulated LPARs on this machine."""


cli.add_command(drill_command)
cli.add_command(config_group)
cli.add_command(certs_group)


@cli.command()
@click.option("--lpars", type=click.IntRange(1, 16), metavar="N", help="How many LPARs; default: those of the file.")
@tls_option
@data_option
@config_option
def up(lpars: int | None, with_tls: bool, data: str | None, config: str | None) -> int:
    """Start the sysplex in the foreground; Ctrl-C stops all of it."""
    from shared import plexfile

    if with_tls:
        os.environ["PLEXMESH_TLS"] = "on"
    file = plexfile.read(place.config_file(config))
    file = file.with_lpars(lpars) if lpars else file
    folder = place.data_folder(data)
    place.make_data_folder(folder)
    ours = lock.Lock(folder, lock.Holder(os.getpid(), file.url, file.sysplex))
    if not ours.take():
        return _show_running(folder)
    if file.tls:
        for path in make_certificates(folder, file):
            click.echo(f"made {path}")
    if file.ignored:
        click.echo(f"plexmesh: {file.path}: keys that do not apply here: {', '.join(file.ignored)}", err=True)

    from launcher.plan import Plan
    from launcher.screen import Screen
    from launcher.up import main as stay_up
    from shared.lifecycle import run as run_lifecycle

    plan = Plan(file, folder, place.program(folder))
    screen = Screen(file, plan.program, plan.exposed())
    return run_lifecycle(lambda lifecycle: stay_up(lifecycle, plan, screen))


@cli.command()
@data_option
def down(data: str | None) -> int:
    """Stop the sysplex, wherever it was started; returns when nothing of it is left."""
    holder = _holder(place.data_folder(data))
    try:
        ended = os.pidfd_open(holder.pid)
    except ProcessLookupError:
        return DONE
    _control(holder).down()
    if not select.select([ended], [], [], DOWN_WITHIN_S)[0]:
        raise Unavailable(f"it is still stopping after {DOWN_WITHIN_S:g} s")
    return DONE


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@compose_option
@data_option
def status(as_json: bool, compose: str | None, data: str | None) -> int:
    """Show every LPAR and component; exit code 0 when all are ready."""
    if compose is None:
        found, body = _control(_holder(place.data_folder(data))).status()
    else:
        import msgspec

        found = _compose(compose, data).status()
        body = msgspec.json.encode(found)
    if as_json:
        click.echo(body)
    else:
        from launcher.screen import print_status

        print_status(found)
    return DONE if found.sysplex.state == "ready" else NOT_AS_WANTED


@cli.command()
@tls_option
@data_option
@config_option
def demo(with_tls: bool, data: str | None, config: str | None) -> int:
    """One minute: start a sysplex, kill an LPAR under load, bring it back, show what the callers saw."""
    from shared import plexfile

    if with_tls:
        os.environ["PLEXMESH_TLS"] = "on"
    file = plexfile.read(place.config_file(config))
    folder = place.data_folder(data)
    if lock.holder(folder) is not None:
        raise ConfigError(f"a sysplex is running with the data folder {folder}; stop it first: {_down(folder)}")
    if len(file.lpars) < 2 or "sample" not in file.components:
        raise ConfigError(f"{file.path}: the demo needs two LPARs and the component sample")
    place.make_data_folder(folder)
    if file.tls:
        make_certificates(folder, file)

    from launcher.demo import Demo
    from shared.lifecycle import run as run_lifecycle

    return run_lifecycle(Demo(file, folder, place.program(folder)).run)


@cli.command(context_settings={"ignore_unknown_options": True})
@click.option("--lpar", required=True, envvar="PLEXMESH_LPAR", metavar="LPAR", help="Which LPAR of the file.")
@data_option
@config_option
@click.argument("settings", nargs=-1, type=click.UNPROCESSED)
def run(lpar: str, data: str | None, config: str | None, settings: tuple[str, ...]) -> int:
    """Run one LPAR's launcher in the foreground, as a container does.

    SETTINGS are the launcher's own, such as --stop-s 5, or --components gateway,discovery to run only these.
    """
    folder = place.data_folder(data)
    environ = dict(os.environ) | {"PLEXMESH_CONFIG": str(place.config_file(config))}
    place.make_data_folder(folder)

    from launcher.app import main as run_launcher
    from shared.lifecycle import run as run_lifecycle

    argv = ["--lpar", lpar.upper(), "--data", str(folder), *settings]
    return run_lifecycle(lambda lifecycle: run_launcher(lifecycle, argv, environ))


@cli.command("register", context_settings={"allow_interspersed_args": False})
@click.option("--service-id", required=True, metavar="ID", help="The name callers use: /ID/api/v1 at any gateway.")
@click.option("--url", required=True, metavar="URL", help="Where it answers: http://host:port.")
@click.option("--route", "routes", multiple=True, metavar="A=/B", help="What is /ID/A outside is /B on the service.")
@click.option("--lpar", envvar="PLEXMESH_LPAR", metavar="LPAR", help="The LPAR it runs in; default: none.")
@click.option("--metadata", multiple=True, metavar="K=V", help="More metadata of the instance.")
@click.option("--discovery", multiple=True, metavar="URL", help="Default: PLEXMESH_DISCOVERY, else the sysplex here.")
@data_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def register_command(
    service_id: str,
    url: str,
    routes: tuple[str, ...],
    lpar: str | None,
    metadata: tuple[str, ...],
    discovery: tuple[str, ...],
    data: str | None,
    command: tuple[str, ...],
) -> int:
    """Register a process that does not do so itself, for as long as this runs.

    With COMMAND (after --) it is started, gets our signals, and its exit code is ours. It is listed UP only while its
    port answers, and deregistered at the end.
    """
    from launcher import register

    host, port = register.address(url)
    target = register.Target(
        service_id=register.service_id(service_id),
        host=host,
        port=port,
        routes=register.routes(routes),
        metadata=register.metadata(metadata),
        lpar=lpar.upper() if lpar else None,
        discovery=register.discovery(discovery or (os.environ.get("PLEXMESH_DISCOVERY", ""),))
        or _discovery_here(place.data_folder(data), lpar),
    )
    try:
        return register.register(target, command)
    except register.NotStarted as error:
        return said(str(error), error.code)


def _order(action: str, help: str) -> None:
    @cli.command(action, help=help)
    @click.argument("lpar")
    @click.argument("component", required=False)
    @compose_option
    @data_option
    def order(lpar: str, component: str | None, compose: str | None, data: str | None) -> int:
        if compose is not None:
            return _order_in_container(_compose(compose, data), lpar, component, action)
        control = _control(_holder(place.data_folder(data)))
        done: Any
        if component is None:
            done = control.order(lpar, action)
            name, parts = done.id, done.components
        else:
            done = control.order_component(lpar, component, action)
            name, parts = f"{lpar.upper()} {done.name}", [done]
        if done.state in WANTED[action]:
            click.echo(f"{name}: {'killed' if action == 'kill' else done.state}")
            return DONE
        missing = [f"{each.name} is {each.state} ({'; '.join(each.why)})" for each in parts if each.state != "ready"]
        return said(f"{name}: {', '.join(missing)}", NOT_AS_WANTED)


def _order_in_container(compose: Compose, lpar: str, component: str | None, action: str) -> int:
    if component is None:
        compose.order(lpar, action)
    else:
        compose.order_component(lpar, component, action)
    name = f"{lpar.upper()} {(component or '').lower()}".rstrip()
    click.echo(f"{name}: {'killed' if action == 'kill' else WANTED[action][0]}")
    return DONE


_order("kill", "Kill every process of an LPAR with SIGKILL, or one component (its launcher starts that again).")
_order("pause", "Freeze an LPAR or one component (SIGSTOP); a frozen gateway is fenced.")
_order("resume", "Let a paused LPAR or component go on.")
_order("stop", "Stop an LPAR or one component in order; it stays stopped.")
_order("start", "Start an LPAR or one component again; returns when it is ready.")


def _distribute(action: str, help: str) -> None:
    @cli.command(action, help=help)
    @click.argument("lpar")
    @data_option
    def order(lpar: str, data: str | None) -> int:
        done = getattr(_control(_holder(place.data_folder(data))), action)(lpar)
        click.echo(f"{lpar.upper()}: {action}d; on the sysplex address: {', '.join(done.active) or 'nobody'}")
        return DONE


_distribute("quiesce", "Take an LPAR's gateway off the sysplex address; everything in it keeps running.")
_distribute("activate", "Let a quiesced LPAR have calls again; with hot standby, make it the active one.")


@cli.command("restart")
@click.argument("names", nargs=-1, metavar="[LPAR] [COMPONENT]")
@click.option("--rolling", is_flag=True, required=True, help="One instance at a time, without failing a call.")
@click.option("--force", is_flag=True, help="Also what nobody else can stand in for: calls fail meanwhile.")
@data_option
def restart(names: tuple[str, ...], rolling: bool, force: bool, data: str | None) -> int:
    """Restart everything, an LPAR, a component in all LPARs, or in one: drained, stopped, started, seen by all, next.

    Where an instance does not come back, it ends there and says how to go on (exit code 1).
    """
    if len(names) > 2:
        raise click.UsageError("give an LPAR, a component, or an LPAR and a component")
    control = _control(_holder(place.data_folder(data)))
    lpar, component = names if len(names) == 2 else (None, None)
    if len(names) == 1:
        known = {each.id for each in control.status()[0].lpars}
        lpar, component = (names[0], None) if names[0].upper() in known else (None, names[0])
    for line in control.restart_rolling(lpar, component, force=force):
        click.echo(line)
    return DONE


@cli.command("modify")
@click.argument("lpar")
@click.argument("command")
@data_option
@config_option
def modify(lpar: str, command: str, data: str | None, config: str | None) -> int:
    """Give an LPAR's launcher a command in Zowe's words: START(gateway), STOP(gateway), DISP, or STOP for all of it.

    Of the sysplex that runs here, else of the LPAR that the file names, as `run` has started it.
    """
    from launcher.control import Control

    messages = Control(_launcher(lpar.upper(), place.data_folder(data), config)).command(command)
    for message in messages:
        click.echo(message)
    return DONE if messages[-1].split(" ", 1)[0].endswith("I") else NOT_AS_WANTED


def _launcher(lpar: str, data: Path, config: str | None) -> str:
    """The URL of that LPAR's launcher. Raises NotFound."""
    from shared import plexfile

    if (holder := lock.holder(data)) is not None:
        urls = {each.id: each.launcher for each in _control(holder).status()[0].lpars}
    else:
        file = plexfile.read(place.config_file(config))
        urls = {each: file.launcher_url(each) for each in file.lpars}
    if not (url := urls.get(lpar)):
        raise NotFound(f"there is no LPAR {lpar}{nearest(lpar, urls)}")
    return url


@cli.command("reload")
@click.argument("names", nargs=-1, metavar="[[LPAR] COMPONENT]")
@data_option
def reload(names: tuple[str, ...], data: str | None) -> int:
    """Read plexmesh.yaml again: a new LPAR is started, settings hold from a component's next start.

    With COMPONENT: let a gateway go on with new workers and its configuration as it is now, without losing a call.
    Without LPAR: in all of them, one after the other; where it fails, the rest stay as they are.
    """
    if not names:
        return _reload_file(_control(_holder(place.data_folder(data))))
    if len(names) > 2:
        raise click.UsageError("give an LPAR and a component, or a component")
    control = _control(_holder(place.data_folder(data)))
    component = names[-1].lower()
    lpars = [names[0].upper()] if len(names) == 2 else _lpars_with(control, component)
    for lpar in lpars:
        control.order_component(lpar, component, "reload")
        click.echo(f"{lpar} {component}: reloaded")
    return DONE


def _reload_file(control: Control) -> int:
    adopted = control.reload()
    for name in adopted.added:
        click.echo(f"{name}: starting")
    for name in adopted.dropped:
        click.echo(f"{name}: no longer in the file; it goes on until it is stopped")
    if not adopted.added and not adopted.dropped:
        click.echo("read again; settings hold from each component's next start")
    return DONE


@cli.command("explain")
@click.argument("url")
@click.option("--method", default="GET", metavar="METHOD", help="Of the call; only GET is really made.")
@click.option("--header", "-H", "headers", multiple=True, metavar="'N: V'", help="A header field of the call.")
@click.option("--no-call", is_flag=True, help="Explain it only.")
@gateway_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@data_option
def explain_command(
    url: str,
    method: str,
    headers: tuple[str, ...],
    no_call: bool,
    gateway: str | None,
    as_json: bool,
    data: str | None,
) -> int:
    """Why is a call answered as it is? Its way, step by step, and then the call itself.

    URL is a whole one or a path. Exit code 0 when it was answered (or, not made, would be) below 500, and not by the
    gateway's own 404.
    """
    from launcher import explain, gateways

    fields = explain.headers_of(headers)
    base = _gateway(gateway, data, gateways.checked(url))
    return explain.run(base, url, method.upper(), fields, call=not no_call, as_json=as_json)


@cli.command("upstreams")
@click.argument("service", required=False)
@gateway_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@data_option
def upstreams_command(service: str | None, gateway: str | None, as_json: bool, data: str | None) -> int:
    """Every service as a gateway sees it: its rules, and its instances with their state and why."""
    from launcher import upstreams

    return upstreams.run(_gateway(gateway, data), service, as_json=as_json)


@cli.command("vsam", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@data_option
@config_option
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def vsam(data: str | None, config: str | None, args: tuple[str, ...]) -> int:
    """Data sets of the shared volume: define, listcat, repro, delete (see: vsam --help)."""
    import subprocess

    told = {"PLEXMESH_DATA": str(place.data_folder(data))}
    if (file := place.config_file_if_any(config)) is not None:
        told["PLEXMESH_CONFIG"] = str(file)
    return subprocess.run([sys.executable, "-P", "-m", "caching.idcams", *args], env=dict(os.environ) | told).returncode


@cli.command("users", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@data_option
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def users(data: str | None, args: tuple[str, ...]) -> int:
    """Who may log in: add, remove, list (see: users --help)."""
    return _login_command(data, "users", *args)


@cli.command("login", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@data_option
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def login(data: str | None, args: tuple[str, ...]) -> int:
    """The keys that tokens of logins are signed with: keys, rotate (see: login --help)."""
    return _login_command(data, "login", *args)


def _login_command(data: str | None, *args: str) -> int:
    import subprocess

    told = dict(os.environ) | {"PLEXMESH_DATA": str(place.data_folder(data))}
    return subprocess.run([sys.executable, "-P", "-m", "gateway.login", *args], env=told).returncode


def _lpars_with(control: Control, component: str) -> list[str]:
    """Those in which it is ready. Raises NotFound, Unavailable."""
    found = {
        (each.name, each.state, lpar.id): lpar.id for lpar in control.status()[0].lpars for each in lpar.components
    }
    known = {name for name, _, _ in found}
    if component not in known:
        raise NotFound(f"no LPAR has a component {component!r}{nearest(component, known)}")
    ready = [lpar for (name, state, _), lpar in found.items() if (name, state) == (component, "ready")]
    if not ready:
        raise Unavailable(f"{component} is not ready in any LPAR")
    return ready


def _holder(data: Path) -> lock.Holder:
    """Raises NoSysplex."""
    holder = lock.holder(data)
    if holder is None:
        start = place.program(data).command("up")
        raise NoSysplex(f"no sysplex is running with the data folder {data}; start one with: {start}")
    return holder


def _discovery_here(data: Path, lpar: str | None) -> tuple[str, ...]:
    """The discovery nodes of the sysplex that runs with this data folder, that LPAR's own first. Raises NoSysplex."""
    nodes = _control(_holder(data)).status()[0].registry
    if not nodes:
        raise NoSysplex(f"the sysplex of {data} has no discovery node")
    if nodes[0].url.startswith("https:"):
        os.environ.update(secure.tls(data).files.variables())
    own_first = sorted(nodes, key=lambda node: node.node != (lpar or "").upper())
    return tuple(node.url for node in own_first)


def _gateway(given: str | None, data: str | None, url: str = "") -> str:
    """The base of the one to ask. Raises ConfigError, NoSysplex, Unavailable."""
    from launcher import gateways

    if given is not None:
        return gateways.named(given)
    return gateways.chosen(_control(_holder(place.data_folder(data))).status()[0], url)


def _control(holder: lock.Holder) -> Control:
    from launcher.control import Control

    return Control(holder.url)


def _compose(file: str, data: str | None) -> Compose:
    """Raises ConfigError."""
    from launcher.compose import Compose

    return Compose(place.data_folder(data), Path(file) if file else None)


def _down(data: Path) -> str:
    return place.program(data).command("down")


def _show_running(data: Path) -> int:
    """The status of the sysplex somebody else holds."""
    from launcher.screen import print_status

    found: list[wire.SysplexStatus] = []

    def answers() -> bool:
        try:
            found.append(_control(_holder(data)).status()[0])
        except (NoSysplex, Unavailable):
            return False
        return True

    if not _within(STATUS_WITHIN_S, answers):
        raise Unavailable(f"a sysplex holds the data folder {data}, but does not answer")
    print_status(found[0])
    return DONE


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


if __name__ == "__main__":
    sys.exit(main())
