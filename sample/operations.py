"""Every operation of a sample instance, for the OpenAPI document of all of them: its API's own, and what is none."""

from __future__ import annotations

from sample import openapi
from shared.operation import ANY, PAGE, Document, Operation, document

OTHERS = (
    Operation("GET", openapi.PATH, "Its API's OpenAPI document"),
    Operation("GET", "/ui/v1", "A page that says who answers", {200: PAGE}),
    Operation("GET", "/ui/v1/", "The same", {200: PAGE}),
    Operation("GET", "/ws/v1/echo", "A WebSocket that says who answers", {101: None}),
    Operation("PUT", "/drill/delay", "Answer late from now on, for drills", {200: ANY}, ANY),
)


def documents() -> list[Document]:
    return [openapi.document(), document("plexmesh sample", OTHERS)]
