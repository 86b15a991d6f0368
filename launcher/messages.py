"""Every state change in words, with the message id Zowe's launcher gives it, or one of plexmesh's own (PLXL…).

    events.emit("component.ended", **told("component.ended", component="gateway", pid=4711, status="exit code 1"))

An event's fields hold `id` (those of one LPAR's launcher have one), `text` for people, and the values for machines.
Source: the message ids of Zowe's launcher (ZWEL…).
"""

from __future__ import annotations

TEXTS = {
    # one LPAR's launcher
    "launcher.begun": ("ZWEL0021I", "launcher starting"),
    "launcher.config": ("ZWEL0023I", "configuration file in use: {file}"),
    "launcher.lpar": ("ZWEL0024I", "HA instance in use: {lpar} of {sysplex}, at {address}"),
    "launcher.config_valid": ("ZWEL0069I", "the configuration is valid"),
    "launcher.config_invalid": ("ZWEL0070E", "the configuration is not valid: {why}"),
    "launcher.nothing_to_start": ("ZWEL0029E", "no component to start: {why}"),
    "launcher.too_many": ("ZWEL0037E", "too many components: {why}"),
    "launcher.prepared": ("ZWEL0018I", "workspace prepared: {folder}"),
    "launcher.components": ("ZWEL0016I", "components to start: {components}"),
    "launcher.starting": ("ZWEL0006I", "starting {components}"),
    "launcher.started": ("ZWEL0007I", "all components started"),
    "launcher.not_all_started": ("ZWEL0052W", "not all components started: {why}"),
    "launcher.stop_ordered": ("ZWEL0014I", "stop received from the operator"),
    "launcher.ending": ("ZWEL0019I", "launcher stopping"),
    "launcher.stopping": ("ZWEL0008I", "stopping all components"),
    "launcher.stopped": ("ZWEL0009I", "all components stopped"),
    "launcher.stopped_by_force": ("ZWEL0053W", "all components stopped, not all in order: {killed} killed"),
    "launcher.ended": ("ZWEL0022I", "launcher stopped"),
    "launcher.reloaded": ("PLXL015I", "{file} read again; it holds from each component's next start"),
    "launcher.not_reloaded": ("PLXL016E", "not reloaded, everything stays as it is: {why}"),
    "launcher.insecure": ("PLXL018W", "without TLS, others can reach {addresses} (plexmesh.allowInsecure)"),
    "launcher.strays": ("PLXL001W", "{count} processes of an earlier launcher of this LPAR killed"),
    "component.initialised": (
        "ZWEL0003I",
        "{component}: {intervals} restarts allowed, minimum uptime {min_uptime_s:g} s",
    ),
    "component.intervals": ("ZWEL0025I", "{component}: restart intervals {intervals_s} s"),
    "component.port_moved": (
        "PLXL002I",
        "{component} is not told its LPAR's address (its command has no {{host}}): here its port is {port}",
    ),
    "component.waiting": ("PLXL003I", "{component} is started when {names} ready"),
    "component.not_awaited": ("PLXL004W", "{component} starts although {names} not ready after {seconds:g} s"),
    "component.registering": ("PLXL005I", "{component} is being registered at {url}"),
    "component.started": ("ZWEL0001I", "{component}({pid}) started"),
    "component.not_started": ("ZWEL0040E", "{component} failed to start: {why}"),
    "component.not_restarted": ("ZWEL0049E", "{component} failed to start again: {why}"),
    "component.ready": ("PLXL006I", "{component}({pid}) ready after {seconds:.1f} s"),
    "component.not_ready": ("PLXL007W", "{component}({pid}) no longer ready: {why}"),
    "component.hung": ("PLXL008E", "{component}({pid}) hung, silent {times} times in a row: killed"),
    "component.ended": ("ZWEL0004I", "{component}({pid}) ended: {status}"),
    "component.left": ("PLXL009W", "{component}({pid}) left {count} processes behind: killed"),
    "component.restarting": ("ZWEL0005I", "{component} starts again in {delay_s:g} s (restart {nth} of {of})"),
    "component.given_up": ("ZWEL0038E", "{component} failed: {why}"),
    "component.stopping": ("PLXL010I", "{component}({pid}) is told to stop"),
    "component.killing": ("ZWEL0063W", "{component}({pid}) did not stop in {grace_s:g} s: SIGKILL"),
    "component.stopped": ("ZWEL0002I", "{component}({pid}) stopped"),
    "component.paused": ("PLXL011I", "{component}({pid}) paused"),
    "component.resumed": ("PLXL012I", "{component}({pid}) resumed"),
    "component.reloaded": ("PLXL013I", "{component}({pid}) reloaded: new workers serve, old ones finish"),
    "command.received": ("ZWEL0013I", "command received: {command}"),
    "command.unknown": ("ZWEL0042E", "unknown command: {why}"),
    "command.bad_value": ("ZWEL0041E", "bad value: {why}"),
    "command.not_found": ("ZWEL0054W", "component not found: {why}"),
    "command.already_running": ("ZWEL0039E", "{component} is already running"),
    "command.not_possible": ("PLXL014W", "{why}"),
    "command.components": ("ZWEL0010I", "components of {lpar}: {count}"),
    "command.component": ("ZWEL0011I", "{component}: pid {pid}, {state}"),
    # the sysplex; the LPAR is in the field `lpar`
    "lpar.starting": (None, "starting"),
    "lpar.ready": (None, "all components ready"),
    "lpar.not_ready": (None, "not all components are ready: {why}"),
    "lpar.killed": (None, "killed; start it again with: {command}"),
    "lpar.lost": (None, "lost: its launcher ended ({status}); start it again with: {command}"),
    "lpar.paused": (None, "paused; resume it with: {command}"),
    "lpar.resumed": (None, "resumed"),
    "lpar.stopped": (None, "stopped; start it again with: {command}"),
    "lpar.quiesced": (None, "quiesced: its gateway leaves the sysplex address; undo it with: {command}"),
    "lpar.activated": (None, "its gateway is on the sysplex address, or enters when it is ready"),
    "gateway.fenced": (
        "PLXL017E",
        "gateway({pid}) hung, {failures} probes failed: killed; its launcher starts it again",
    ),
    "component.fenced": (None, "{component}({pid}) gave no sign of life: killed; its launcher starts it again"),
    "sysplex.reloaded": (None, "{file} read again: {found}"),
    "sysplex.not_reloaded": (None, "not reloaded, everything stays as it is: {why}"),
    "sysplex.certificates": (None, "certificates made: {files}"),
    "sysplex.insecure": (None, "without TLS, others can reach {addresses} (plexmesh.allowInsecure)"),
    "sysplex.kept": (None, "changed, and kept until the next start: {names}"),
    "drill.started": (None, "drill {drill} begins: {title}"),
    "drill.step": (None, "drill {drill}: {step}"),
    "drill.ended": (None, "drill {drill} {outcome}"),
    "sysplex.stopping": (None, "stopping every LPAR"),
}


def message(event: str, **values: object) -> str:
    """Its id and its text."""
    own_id, text = TEXTS[event]
    return f"{own_id} {text.format(**values)}"


def told(event: str, **values: object) -> dict[str, object]:
    """The fields of an event."""
    own_id, text = TEXTS[event]
    return {**({"id": own_id} if own_id else {}), "text": text.format(**values), **values}
