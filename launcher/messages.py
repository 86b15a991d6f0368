"""Every state change in words, with the message id Zowe's launcher gives it.

    events.emit("component.ended", **told("component.ended", component="gateway", pid=4711, status="exit code 1"))

An event's fields hold `id` (Zowe's, where it has one), `text` for people, and the values for machines.
Source: the message ids of Zowe's launcher (ZWEL…).
"""

from __future__ import annotations

TEXTS = {
    # one LPAR's launcher
    "launcher.starting": ("ZWEL0006I", "starting {components}"),
    "launcher.stopping": ("ZWEL0008I", "stopping all components"),
    "launcher.stopped": ("ZWEL0009I", "all components stopped"),
    "component.initialised": (
        "ZWEL0003I",
        "{component}: {intervals} restarts allowed, minimum uptime {min_uptime_s:g} s",
    ),
    "component.port_moved": (
        None,
        "{component} is not told its LPAR's address (its command has no {{host}}): here its port is {port}",
    ),
    "component.registering": (None, "{component} is being registered at {url}"),
    "component.started": ("ZWEL0001I", "{component}({pid}) started"),
    "component.not_started": ("ZWEL0040E", "{component} failed to start: {why}"),
    "component.ready": (None, "{component}({pid}) ready after {seconds:.1f} s"),
    "component.not_ready": (None, "{component}({pid}) no longer ready: {why}"),
    "component.ended": ("ZWEL0004I", "{component}({pid}) ended: {status}"),
    "component.restarting": ("ZWEL0005I", "{component} starts again in {delay_s:g} s (restart {nth} of {of})"),
    "component.given_up": ("ZWEL0038E", "{component} failed: {why}"),
    "component.stopping": ("ZWEL0014I", "{component}({pid}) is told to stop"),
    "component.killing": ("ZWEL0063W", "{component}({pid}) did not stop in {grace_s:g} s: SIGKILL"),
    "component.stopped": ("ZWEL0002I", "{component}({pid}) stopped"),
    "component.paused": (None, "{component}({pid}) paused"),
    "component.resumed": (None, "{component}({pid}) resumed"),
    "component.reloaded": (None, "{component}({pid}) reloaded: new workers serve, old ones finish"),
    # the sysplex; the LPAR is in the field `lpar`
    "lpar.starting": (None, "starting"),
    "lpar.ready": (None, "all components ready"),
    "lpar.not_ready": (None, "not all components are ready: {why}"),
    "lpar.killed": (None, "killed; start it again with: {command}"),
    "lpar.lost": (None, "lost: its launcher ended ({status}); start it again with: {command}"),
    "lpar.paused": (None, "paused; resume it with: {command}"),
    "lpar.resumed": (None, "resumed"),
    "lpar.stopped": (None, "stopped; start it again with: {command}"),
    "gateway.fenced": (None, "gateway({pid}) hung, {failures} probes failed: killed; its launcher starts it again"),
    "component.fenced": (None, "{component}({pid}) gave no sign of life: killed; its launcher starts it again"),
    "sysplex.stopping": (None, "stopping every LPAR"),
}


def told(event: str, **values: object) -> dict[str, object]:
    """The fields of an event."""
    zowe_id, text = TEXTS[event]
    return {**({"id": zowe_id} if zowe_id else {}), "text": text.format(**values), **values}
