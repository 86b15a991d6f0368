"""FastAPI's own docs page in a real browser, opened through each gateway: it shows the operations, and they can be
tried from it.

The page takes its script from a public network of copies, and FastAPI's icon. Here it gets the same package's files
from node_modules, so nothing is asked for outside; the test is skipped by name where the package is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.integration.real_services_rig import FASTAPI, HOSTS, Place, behind_two_gateways

COPIES = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/"
ICON = "https://fastapi.tiangolo.com/img/favicon.png"
PACKAGE = Path(__file__).parents[2] / "node_modules" / "swagger-ui-dist"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    if not PACKAGE.exists():
        pytest.skip("swagger-ui-dist is missing: make deps")
    with behind_two_gateways(tmp_path_factory.mktemp("docs"), FASTAPI):
        yield


@pytest.fixture
def tab(browser: Browser, started: None) -> Iterator[Page]:
    """It reaches the gateways and the copies, and nothing goes wrong in it."""
    tab = browser.new_page()
    faults: list[str] = []
    tab.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: faults.append(str(error)))

    def outside(route: Route) -> None:
        copied = PACKAGE / route.request.url.replace(ICON, "favicon-32x32.png").removeprefix(COPIES)
        if copied.is_file():
            route.fulfill(path=copied)
        else:
            faults.append(f"it asked for {route.request.url}")
            route.abort()

    tab.route(lambda url: not any(f"//{host}:" in url for host in HOSTS.values()), outside)
    yield tab
    tab.close()
    assert faults == [], "\n".join(faults)


def operation(tab: Page, method: str, path: str) -> Locator:
    """Opened, to be tried."""
    found = tab.locator(f".opblock-{method}").filter(has=tab.locator(f'[data-path="{path}"]'))
    found.locator(".opblock-summary-control").click()
    found.get_by_role("button", name="Try it out").click()
    return found


@pytest.mark.parametrize("lpar", HOSTS)
def test_the_docs_page_shows_the_operations_and_tries_them_through_the_gateway(tab: Page, lpar: str) -> None:
    place = Place(FASTAPI, lpar)
    tab.goto(f"{place.url}/docs")
    expect(tab.get_by_role("heading", name="Orders")).to_be_visible()
    for shown in ("GET/hello/{name}", "POST/echo", "GET/stream/{id}", "POST/release/{id}"):
        expect(tab.locator(".opblock", has_text=shown)).to_be_visible()

    for method, path, parameter, said in (
        ("get", "/hello/{name}", "name", '"service": "fastapi"'),
        ("post", "/release/{id}", "id", "null"),
    ):
        tried = operation(tab, method, path)
        tried.get_by_placeholder(parameter).fill("ada")
        with tab.expect_response(f"{place.url}/*/ada") as answer:
            tried.get_by_role("button", name="Execute").click()
        assert answer.value.status == 200
        assert answer.value.headers["x-plexmesh-path"] == place.way
        expect(tried.locator(".live-responses-table .response").first).to_contain_text(said)
