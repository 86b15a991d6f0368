"""Errors as answers: one aiohttp middleware per application.

The default body is RFC 9457's `application/problem+json`; a service whose wire contract fixes another form passes its
own `render`. An error outside our tree is a defect: it is logged with its traceback and answered 500 without details.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.errors import PlexmeshError

Render = Callable[[int, str], web.StreamResponse]

log = logging.getLogger("plexmesh.http")

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def render_problem(status: int, detail: str) -> web.StreamResponse:
    body = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail}
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/problem+json")


def middleware(render: Render = render_problem) -> Middleware:
    @web.middleware
    async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await _call(handler, request)
        except PlexmeshError as error:
            return render(error.status, str(error))
        except msgspec.ValidationError as error:
            return render(400, str(error))
        except web.RequestPayloadError:
            return render(400, "the body is not as the head says it is")
        except web.HTTPRequestEntityTooLarge as error:
            return render(413, error.text or "the body is too large")
        except web.HTTPException as error:
            if error.status < 400:
                raise
            answer = render(error.status, f"{request.method} {request.path}: {error.reason}")
            if "Allow" in error.headers:
                answer.headers["Allow"] = error.headers["Allow"]
            return answer
        except Exception:
            log.exception("request.failed", extra={"fields": {"method": request.method, "path": request.path}})
            return render(500, "an internal error; the log has the details")

    return answer_errors


async def _call(handler: Handler, request: web.Request) -> web.StreamResponse:
    answer: Awaitable[web.StreamResponse] = handler(request)
    return await answer
