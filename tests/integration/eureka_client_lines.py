"""What the Python programs around other people's Eureka clients have in common: what they are told and how they answer.

A program is started with one argument, a JSON object (`Given`). Then each line of its input is a JSON list, a word and
what goes with it, and is answered by one line: `{"value": …}` or `{"error": …}`. It ends with its input, without a
goodbye; whatever its library prints goes to the log.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Given:
    """`servers`: Eureka's URLs, the first to be talked to first; `options` go to the client as they are."""

    servers: list[str]
    app: str
    host: str
    port: int
    interval_s: float
    lease_s: int
    metadata: dict[str, object] = field(default_factory=dict)
    options: dict[str, object] = field(default_factory=dict)


def given() -> Given:
    return Given(**json.loads(sys.argv[1]))


def serve(start: Callable[[], object], **words: Callable[..., object]) -> None:
    """Start the client, then do what is said; the first line is the answer to the start."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(word: Callable[..., object], *values: object) -> None:
        try:
            said = {"value": word(*values)}
        except Exception as error:  # noqa: BLE001 (the test is told)
            said = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(said) + "\n")

    answer(start)
    for line in sys.stdin:
        word, *values = json.loads(line)
        answer(words[word], *values)
    os._exit(0)  # libraries hang hooks on the exit of a process, and a killed one does not say goodbye
