"""A container engine, asked by its own command: docker knows where the engine is (DOCKER_HOST, contexts, rootless).

Source: the documentation of `docker inspect`, `docker network connect` and their neighbours. Every error is one line.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Literal

import msgspec

from shared.errors import Conflict, Unavailable

WITHIN_S = 60.0
REFUSED = "Error response from daemon: "

Condition = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]


class _State(msgspec.Struct, rename="pascal"):
    status: Condition
    exit_code: int


class _Networks(msgspec.Struct, rename="pascal"):
    networks: dict[str, object]


class _Config(msgspec.Struct, rename="pascal"):
    env: list[str] = []


class Container(msgspec.Struct, rename="pascal"):
    """What `docker inspect` says about one; `exit_code` is that of its last end, 137 after SIGKILL."""

    state: _State
    network_settings: _Networks
    config: _Config

    @property
    def environment(self) -> dict[str, str]:
        """As it was made, with its image's."""
        return dict(each.partition("=")[::2] for each in self.config.env)

    @property
    def networks(self) -> set[str]:
        return set(self.network_settings.networks)


def docker(*words: str) -> str:
    """The output. Raises Conflict when the engine refuses, Unavailable when there is none or it takes too long."""
    try:
        done = subprocess.run(("docker", *words), capture_output=True, text=True, timeout=WITHIN_S, check=False)
    except OSError as error:
        raise Unavailable(f"docker cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"docker {words[0]} takes longer than {WITHIN_S:g} s") from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    refusal = next((line.removeprefix(REFUSED) for line in said if line.startswith(REFUSED)), None)
    if refusal is not None:
        raise Conflict(f"docker {words[0]}: {refusal}")
    raise Unavailable(f"docker {words[0]}: {said[0]}")


def container(name: str) -> Container | None:
    """None: there is no such container. Raises Unavailable."""
    try:
        return msgspec.json.decode(docker("container", "inspect", name), type=list[Container])[0]
    except (Conflict, Unavailable) as error:
        if "no such container" in str(error).lower():
            return None
        raise


def copy(name: str, path: str, to: Path) -> None:
    """A file out of a container, which need not run. Raises Conflict, Unavailable."""
    docker("cp", "--quiet", f"{name}:{path}", str(to))


def connect(network: str, name: str) -> None:
    """Under its own name: an engine forgets the aliases that compose had given it."""
    docker("network", "connect", "--alias", name, network, name)


def disconnect(network: str, name: str) -> None:
    docker("network", "disconnect", network, name)
