"""Zowe's form of an error body, {"messages": [...]}, and the messages its services have in common.

Not here: which error gets which message; each service knows its own.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Message(NamedTuple):
    number: str
    key: str
    reason: str
    action: str
    type: str = "ERROR"


def body(message: Message, content: str) -> bytes:
    """`content` is the sentence about this very case."""
    return msgspec.json.encode({"messages": [view(message, content)]})


def view(message: Message, content: str) -> dict[str, str]:
    """One message as JSON has it."""
    return {
        "messageType": message.type,
        "messageNumber": message.number,
        "messageContent": content,
        "messageAction": message.action,
        "messageReason": message.reason,
        "messageKey": message.key,
    }


COMMON_KEY = "org.zowe.apiml.common."

COMMON = {
    400: Message("ZWEAO400E", COMMON_KEY + "badRequest", "The request is not correct.", "Correct the request."),
    401: Message(
        "ZWEAO402E", COMMON_KEY + "unauthorized", "It is not known who asks.", "Show who you are, and ask again."
    ),
    404: Message(
        "ZWEAO404E", COMMON_KEY + "notFound", "Nothing is served at this path.", "Check the path and the service id."
    ),
    405: Message(
        "ZWEAO405E", COMMON_KEY + "methodNotAllowed", "The method does not apply here.", "Use another method."
    ),
}
"""By status."""
