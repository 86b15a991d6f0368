"""Errors of logins, in Zowe's form and with Zowe's numbers.

    400 ZWEAG121E   neither Basic, nor a body of name and password, nor a certificate that somebody has
    401 ZWEAG120E   wrong name or password
    401 ZWEAG130E   no token of ours, or one that was logged out
    401 ZWEAG131E   no token
    401 ZWEAT100E   a token whose time is over
    403 ZWEAT403E   from a page of another origin; a refresh without a certificate
    405 ZWEAG101E   another method
    429 ZWEAG510E   too many wrong passwords: Retry-After says how long to wait (our choice; Zowe has no such limit)
    500 ZWEAG715E   there is no key
    503 ZWEAO503E   what has to be asked does not answer

Source: Zowe API Mediation Layer, its messages.
"""

from __future__ import annotations

import html

from gateway.replies import FORBIDDEN, NUMBERED, OTHER
from shared import zowe
from shared.zowe import Message

KEY = "org.zowe.apiml."

WRONG = Message(
    "ZWEAG120E",
    KEY + "security.login.invalidCredentials",
    "The user name or the password is not right, or nobody has this certificate.",
    "Log in with the right ones.",
)
NOTHING_SHOWN = Message(
    "ZWEAG121E",
    KEY + "security.login.invalidInput",
    "Neither the Authorization header nor the body holds a user name and a password.",
    "Send them as Basic, or as JSON.",
)
METHOD = Message(
    "ZWEAG101E", KEY + "security.invalidMethod", "The method does not apply here.", "Use the method of this endpoint."
)
NOT_OURS = Message(
    "ZWEAG130E", KEY + "security.query.invalidToken", "The token is not valid, or was logged out.", "Log in again."
)
NO_TOKEN = Message("ZWEAG131E", KEY + "security.query.tokenNotProvided", "No token was sent.", "Log in first.")
TOO_OLD = Message("ZWEAT100E", KEY + "security.expiredToken", "The token has expired.", "Log in again.")
NO_KEY = Message(
    "ZWEAG715E",
    KEY + "gateway.keys.unknownState",
    "There is no key to sign tokens with.",
    "See the gateway's log, and whether it can write to the shared volume.",
)
TOO_OFTEN = Message(OTHER.number, OTHER.key, "There were too many wrong passwords.", "Wait, then try again.")
UNAVAILABLE = NUMBERED[503]

__all__ = ["FORBIDDEN", "METHOD", "NOTHING_SHOWN", "NOT_OURS", "NO_KEY", "NO_TOKEN", "TOO_OFTEN", "TOO_OLD",
           "UNAVAILABLE", "WRONG", "body"]  # fmt: skip


def body(message: Message, content: str) -> bytes:
    return zowe.body(message, html.escape(content))
