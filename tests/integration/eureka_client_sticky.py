"""A program around py-eureka-client, or eurekapy, which began as a copy of it and is called alike: see the options."""

from __future__ import annotations

import importlib
import sys
import threading
import time

from tests.integration.eureka_client_lines import given, serve

GIVEN = given()
LIBRARY = importlib.import_module(f"{GIVEN.options.pop('library')}.eureka_client")


def start() -> None:
    LIBRARY.init(
        eureka_server=",".join(GIVEN.servers),
        app_name=GIVEN.app,
        instance_host=GIVEN.host,
        instance_ip=GIVEN.host,
        instance_port=GIVEN.port,
        renewal_interval_in_secs=GIVEN.interval_s,
        duration_in_secs=GIVEN.lease_s,
        metadata=GIVEN.metadata,
        **GIVEN.options,
    )


def instances() -> list[object]:
    return [each for app in LIBRARY.get_client().applications.applications for each in app.instances]


def view() -> dict[str, str]:
    return {f"{each.app}/{each.instanceId}": each.status for each in instances()}


def metadata(id: str) -> dict[str, str]:
    return next(each.metadata for each in instances() if each.instanceId == id)


def urls(app: str) -> list[str]:
    """Where this client would send a request to that app."""
    found: list[str] = []
    LIBRARY.walk_nodes(app, "", walker=found.append)
    return found


def asleep() -> bool:
    """Whether the library's thread is between two beats."""
    ident = next(each.ident for each in threading.enumerate() if each.name == "HeartbeatThread")
    return sys._current_frames()[ident].f_code.co_name == "__heartbeat_thread"


def stop() -> None:
    """Right after a beat: the library's thread beats on when it was stopped, and so would register anew."""
    for state in (True, False):
        while asleep() is state:
            time.sleep(0.001)
    LIBRARY.stop()


serve(start, view=view, metadata=metadata, urls=urls, stop=stop)
