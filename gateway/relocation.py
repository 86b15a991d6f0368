"""Leading back through the gateway what points at the instance itself: `Location` and `Set-Cookie`.

A Location is changed only when its host is the instance's own (or it has none): a redirect to a foreign site is never
touched, and a path that already is the gateway's stays as well. A cookie loses a Domain that names the instance, which
no browser behind the gateway would accept, and a Path on the service becomes the public one; a cookie for the whole
host (`/`) stays one, because services share sign-on by it.

Source: Zowe API Mediation Layer's rewriting of Location, except that it ignores the host; RFC 6265, section 4.1.2.
"""

from __future__ import annotations

from gateway.routes import Route, within


def relocated(location: bytes, authorities: tuple[bytes, ...], routes: tuple[Route, ...], came_by: Route) -> bytes:
    """A Location as the client must see it. `routes` are the service's; the one the request came by wins a tie."""
    path = _own_path(location, authorities)
    if path is None or any(within(path, route.prefix) for route in routes):
        return location if path is None else path
    return _public(path, routes, came_by) or location


def _own_path(location: bytes, authorities: tuple[bytes, ...]) -> bytes | None:
    """The path when the Location points at the instance itself, with query and fragment; None when elsewhere."""
    if location.startswith(b"/"):
        return None if location.startswith((b"//", b"/\\")) else location
    scheme, found, rest = location.partition(b"://")
    authority, _, path = rest.partition(b"/")
    if not found or scheme.lower() not in (b"http", b"https") or authority.lower() not in authorities:
        return None
    return b"/" + path


def _public(path: bytes, routes: tuple[Route, ...], came_by: Route) -> bytes:
    """The public path that leads to this one, or empty when no route does."""
    fitting = [route for route in routes if within(path, route.target)]
    if not fitting:
        return b""
    best = max(fitting, key=lambda route: (len(route.target), route is came_by))
    return best.prefix + path[len(best.target) :]


def recookied(cookie: bytes, authorities: tuple[bytes, ...], routes: tuple[Route, ...], came_by: Route) -> bytes:
    """A Set-Cookie value as the client must see it."""
    pair, *attributes = cookie.split(b";")
    kept = [pair]
    for attribute in attributes:
        name, _, value = attribute.partition(b"=")
        match name.strip().lower():
            case b"domain":
                if not _is_own(value.strip(), authorities):
                    kept.append(attribute)
            case b"path":
                kept.append(b" Path=" + _cookie_path(value.strip(), routes, came_by))
            case _:
                kept.append(attribute)
    return b";".join(kept)


def _is_own(domain: bytes, authorities: tuple[bytes, ...]) -> bool:
    return domain.lstrip(b".").lower() in [authority.rpartition(b":")[0] for authority in authorities]


def _cookie_path(path: bytes, routes: tuple[Route, ...], came_by: Route) -> bytes:
    if not path.startswith(b"/") or path == b"/" or any(within(path, route.prefix) for route in routes):
        return path
    return _public(path, routes, came_by) or path
