"""What people see on the terminal: components coming up, the table of addresses, state changes as short lines, status.

On a terminal the start is one table that changes in place, elsewhere a line per component. A terminal that has been
closed must not stop the sysplex from being taken down in order: what cannot be written is dropped.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from launcher.place import Program
from shared import simulated, wire
from shared.config import certificates_in
from shared.plexfile import Plexfile

COLOURS = {"ready": "green", "starting": "yellow", "paused": "magenta", "stopped": "bright_black", "failed": "bold red"}


class Terminal(Console):
    """A console of rich whose end is nobody's end: not the sysplex' when `up | head` closes the pipe."""

    def __init__(self) -> None:
        super().__init__(highlight=False, soft_wrap=True)
        if not self.is_terminal:
            self.width = 160

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Screen:
    """`up`'s terminal. Before `summary` state changes show in the table, afterwards as lines."""

    def __init__(self, file: Plexfile, program: Program, exposed: Sequence[str] = ()) -> None:
        """`exposed`: what of it others can reach in plain."""
        self._file = file
        self._program = program
        self._exposed = exposed
        self._console = Terminal()
        self._live: Live | None = None
        self._ready_s: dict[tuple[str, str], float] = {}
        self._telling = False

    def progress(self, lpars: Sequence[wire.Lpar], seconds: float) -> None:
        for lpar in lpars:
            for each in lpar.components:
                if each.state == "ready" and (lpar.id, each.name) not in self._ready_s:
                    self._ready_s[lpar.id, each.name] = seconds
                    if not self._console.is_terminal:
                        self._line(f"{lpar.id:<6} {each.name:<10} {_address(each):<22} ready  {seconds:4.1f} s")
        if self._console.is_terminal:
            self._write(lambda: self._show(lpars, seconds))

    def summary(self, lpars: Sequence[wire.Lpar], seconds: float) -> None:
        """The end of coming up: where everything is, what to try, what is simulated."""
        self._end_live()
        self._telling = True
        if all(lpar.state == "ready" for lpar in lpars):
            self._line(f"\n[bold green]{self._file.sysplex} is up[/] after {seconds:.1f} s.")
        else:
            self._line(f"\n[bold red]{self._file.sysplex} is not complete[/] after {seconds:.1f} s:")
            self._write(lambda: self._console.print(status_table(lpars)))
        home = f"{self._file.scheme}://{self._file.vipa}/"
        self._line(f"\n  [bold]{home}[/]   the sysplex address: any gateway of any LPAR\n")
        self._write(lambda: self._console.print(self._addresses(lpars)))
        for name in self._file.users():
            if len(lpars) > 1 and self._file.moves(name, lpars[0].id):
                self._line(f"\n{name}: its command has no {{host}}, so its port is another one in each LPAR.")
        if self._exposed:
            self._line(f"\n[bold red]Without TLS, others can reach[/] {', '.join(self._exposed)}")
            self._line("[bold red]and may do everything there[/] (plexmesh.allowInsecure)")
        self._line("\nTry, in another terminal:\n")
        for command in self._commands(lpars):
            self._line(f"  [bold]{command}[/]")
        self._line(f"\n[dim]{simulated.IN_ONE_LINE}[/]\n")
        self._line("[dim]Ctrl-C stops everything. What happens from now on:[/]")

    def tell(self, lpar: str, text: str) -> None:
        """A state change: shown once everything is up, and until everything ends, which is not news."""
        if self._telling:
            self._write(lambda: self._console.print(Text(f"{time.strftime('%H:%M:%S')}  {lpar:<6} {text}")))

    def close(self) -> None:
        self._end_live()
        self._telling = False
        self._line("stopping …")

    def _show(self, lpars: Sequence[wire.Lpar], seconds: float) -> None:
        if self._live is None:  # no refreshing thread: children must be forked in a process with one thread
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(self._progress_table(lpars, seconds), refresh=True)

    def _progress_table(self, lpars: Sequence[wire.Lpar], seconds: float) -> Table:
        table = _table("LPAR", "component", "address", "state", "seconds")
        for lpar in lpars:
            for each in lpar.components:
                shown = self._ready_s.get((lpar.id, each.name), seconds)
                table.add_row(lpar.id, each.name, _address(each), _state(each.state), f"{shown:.1f}")
        return table

    def _addresses(self, lpars: Sequence[wire.Lpar]) -> Table:
        names = list(dict.fromkeys(each.name for lpar in lpars for each in lpar.components))
        table = _table("", *names, "launcher")
        for lpar in lpars:
            found = {each.name: _address(each) for each in lpar.components}
            launcher = f"{lpar.address}:{self._file.port('launcher', lpar.id)}"
            table.add_row(lpar.id, *(found.get(name, "") for name in names), launcher)
        table.add_row("up", *("" for _ in names), self._file.address)
        return table

    def _commands(self, lpars: Sequence[wire.Lpar]) -> list[str]:
        last = lpars[-1].id
        target = last if len(lpars) > 1 else f"{last} gateway"
        return [
            f"curl -i {self._believe()}{self._file.scheme}://{self._file.vipa}{self._path_to_try(lpars)}",
            self._program.command(f"kill {target}"),
            self._program.command("status"),
        ]

    def _believe(self) -> str:
        return f"--cacert {certificates_in(self._program.data) / 'ca.pem'} " if self._file.tls else ""

    def _path_to_try(self, lpars: Sequence[wire.Lpar]) -> str:
        if any(each.name == "sample" for lpar in lpars for each in lpar.components):
            return "/sample/api/v1/hello"
        routed = [
            f"/{name}/{gateway_url}/"
            for name in self._file.users()
            for gateway_url in self._file.components[name].get("routes") or {}
        ]
        return routed[0] if routed else "/"

    def _line(self, text: str) -> None:
        self._write(lambda: self._console.print(text))

    def _end_live(self) -> None:
        if self._live is not None:
            self._write(self._live.stop)
            self._live = None

    def _write(self, write: Callable[[], Any]) -> None:
        with contextlib.suppress(OSError):
            write()


def status_table(lpars: Sequence[wire.Lpar]) -> Table:
    table = _table("LPAR", "component", "address", "state", "pid", "up for", "restarts", "cpu", "memory")
    table.add_column("why", overflow="fold")
    for lpar in lpars:
        for each in lpar.components:
            table.add_row(
                lpar.id,
                each.name,
                _address(each),
                _state(each.state),
                str(each.pid or ""),
                _duration(each.uptime_s),
                str(each.restarts or ""),
                "" if each.cpu_percent is None else f"{each.cpu_percent:.1f} %",
                "" if each.rss_bytes is None else f"{each.rss_bytes / 1e6:.0f} MB",
                Text("; ".join(each.why)),
            )
    return table


def print_status(status: wire.SysplexStatus) -> None:
    console = Terminal()
    state = status.sysplex.state
    console.print(f"{status.sysplex.url}  [{COLOURS[state]}]{state}[/]{_distribution(status.distributor)}")
    console.print(status_table(status.lpars))
    for node in status.registry:
        known = f"{node.instances} instances" if node.reachable else "not reachable"
        console.print(f"registry {node.node}  {node.url}  {known}")


def _distribution(distributor: wire.Distributor | None) -> str:
    """Who is on the sysplex address, where that is not everybody."""
    if distributor is None or (distributor.policy == "distribute" and not distributor.quiesced):
        return ""
    quiesced = f"; quiesced: {', '.join(distributor.quiesced)}" if distributor.quiesced else ""
    return f"  {distributor.policy}: {', '.join(distributor.active) or 'nobody'}{quiesced}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _state(state: wire.ComponentState) -> Text:
    return Text(state, style=COLOURS[state])


def _address(component: wire.Component) -> str:
    return (component.url or "").partition("://")[2]


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
