"""The shapes of a file of static definitions, in Zowe's words. Whatever may be left out may also be null.

Source: Zowe's documentation of static onboarding; `routedServices` is the older name of `routes`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from discovery.zowe.additional import Mode

Scheme = Literal["bypass", "zoweJwt", "httpBasicPassTicket", "zosmf", "x509", "safIdt"]


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    pass


class Route(Shape, frozen=True):
    gateway_url: str
    service_relative_url: str | None = None


class CodeSnippet(Shape, frozen=True):
    endpoint: str | None = None
    code_block: str | None = None
    language: str | None = None


class ApiInfo(Shape, frozen=True):
    api_id: str | None = None
    gateway_url: str | None = None
    version: str | None = None
    swagger_url: str | None = None
    graphql_url: str | None = None
    documentation_url: str | None = None
    default_api: bool | None = None
    code_snippet: list[CodeSnippet] | None = None


class Authentication(Shape, frozen=True):
    """`headers` is read and, as in Zowe, not passed on for a static service."""

    scheme: Scheme | None = None
    applid: str | None = None
    headers: str | None = None


class Tile(Shape, frozen=True):
    """Its id is its key and its version always the same, whatever is said here."""

    title: str | None = None
    description: str | None = None
    id: str | None = None
    version: str | None = None


class Service(Shape, frozen=True):
    service_id: str | None = None
    title: str | None = None
    description: str | None = None
    catalog_ui_tile_id: str | None = None
    instance_base_urls: list[str | None] | None = None
    home_page_relative_url: str | None = None
    status_page_relative_url: str | None = None
    health_check_relative_url: str | None = None
    routes: list[Route] | None = None
    routed_services: list[Route] | None = None
    api_info: list[ApiInfo] | None = None
    authentication: Authentication | None = None
    custom_metadata: dict[str, Any] | None = None


class Additional(Service, frozen=True):
    """What is to be added to a service that registers itself; where its instances are is its own business."""

    mode: Mode | None = None


class File(Shape, frozen=True):
    """Tiles are looked at one by one."""

    services: list[Service] | None = None
    catalog_ui_tiles: dict[str, Any] | None = None
    additional_service_metadata: list[Additional] | None = None


BELOW: dict[str, type[Shape]] = {
    "services": Service,
    "routes": Route,
    "routedServices": Route,
    "apiInfo": ApiInfo,
    "codeSnippet": CodeSnippet,
    "authentication": Authentication,
    "additionalServiceMetadata": Additional,
}
"""By the property that holds one, or a list of them."""
