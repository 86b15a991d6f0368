"""The page of a discovery node in a real browser: it keeps itself up to date, recovers, and everybody can read it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.integration.discovery_rig import DiscoveryNode, running
from tests.integration.launcher_rig import poll

HOST1, HOST2 = (f"127.0.{third}.{os.getpid() % 250 + 1}" for third in (134, 135))
ROOT = Path(__file__).parents[2]
CONSOLE = "gateway/console/static/console.css"
NOBODY = f"http://{HOST2}:8761/eureka/"

BAD = "services:\n  - serviceId: orders\n    instanceBaseUrls: ['nonsense']\n"
STATIC = """
services:
  - serviceId: stockroom
    title: Stock room
    instanceBaseUrls: ['http://h.test:9080/stock']
    routes: [{gatewayUrl: api/v1, serviceRelativeUrl: /api/v1}]
"""


def two_nodes(folder: Path, **settings: object) -> tuple[DiscoveryNode, DiscoveryNode]:
    first, second = (
        DiscoveryNode(folder, lpar, host, HOST1, HOST2, **settings)
        for lpar, host in (("LPAR1", HOST1), ("LPAR2", HOST2))
    )
    return first, second


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[DiscoveryNode, DiscoveryNode]]:
    both = two_nodes(tmp_path)
    with running(*both):
        yield both


def register(node: DiscoveryNode, id: str, app: str = "ORDERS", **fields: Any) -> None:
    instance = {
        "instanceId": id,
        "app": app,
        "hostName": "h.test",
        "ipAddr": "192.0.2.1",
        "port": {"$": 8080, "@enabled": "true"},
        "dataCenterInfo": {"name": "MyOwn"},
        "leaseInfo": {"durationInSecs": 60},
        **fields,
    }
    assert node.eureka("POST", app, {"instance": instance}) == 204


def look(page: Page, node: DiscoveryNode, path: str = "/") -> None:
    page.goto(node.url + path)
    expect(page.locator("#state")).to_have_text("live")


def dress(style: str) -> dict[tuple[str, int], str]:
    """Colours by name, in the light and in the dark."""
    found: dict[tuple[str, int], str] = {}
    for name, colour in re.findall(r"(--[a-z-]+): (#[0-9a-f]+);", style):
        found[name, int((name, 0) in found)] = colour
    return found


def row(page: Page, id: str) -> Locator:
    return page.locator(f'#instances tr[data-key="{id}"]')


def cells(page: Page, node: DiscoveryNode) -> Locator:
    """Of its row in the matrix."""
    return page.locator("#lines tr", has=page.get_by_role("rowheader", name=node.lpar)).locator("td")


def test_the_page_shows_what_happens_meanwhile(page: Page, nodes: tuple[DiscoveryNode, DiscoveryNode]) -> None:
    first, second = nodes
    look(page, first)
    register(second, "i1", homePageUrl="http://h.test:8080/")
    expect(row(page, "i1")).to_contain_text("UP")
    expect(row(page, "i1")).to_contain_text("h.test:8080")
    expect(page.locator("#came")).to_contain_text("i1")
    link = row(page, "i1").get_by_role("link", name="home page of i1")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    link.focus()

    register(first, "i0", status="DOWN")
    expect(row(page, "i0")).to_contain_text("DOWN")
    expect(page.locator("#said")).to_contain_text("service orders, count 1, instances orders/i0")
    expect(row(page, "i0")).to_contain_text(re.compile(r"\d+ of 60 s left"))
    assert second.eureka("PUT", "ORDERS/i1/status?value=OUT_OF_SERVICE") == 200
    expect(row(page, "i1")).to_contain_text("override OUT_OF_SERVICE, it says UP")
    expect(link).to_be_focused()

    assert second.eureka("DELETE", "ORDERS/i1") == 200
    expect(row(page, "i1")).to_have_count(0)
    expect(page.locator("#went tr").first).to_contain_text("deregistered")


def test_it_wears_the_consoles_dress_and_leads_there(page: Page, nodes: tuple[DiscoveryNode, DiscoveryNode]) -> None:
    first, _ = nodes
    look(page, first)
    expect(page.get_by_role("heading", level=1)).to_have_text("Discovery node of LPAR1")
    console = page.get_by_role("banner").get_by_role("link", name="Console", exact=True)
    expect(console).to_have_attribute("href", "http://127.0.0.1:7554/")
    own, worn = (dress((ROOT / path).read_text()) for path in ("discovery/dashboard/static/dashboard.css", CONSOLE))
    assert own.items() <= worn.items()


def test_a_killed_node_is_seen_dead_and_seen_again(page: Page, nodes: tuple[DiscoveryNode, DiscoveryNode]) -> None:
    first, second = nodes
    look(page, first)
    for node, line in ((first, ["itself", "alive"]), (second, ["alive", "itself"])):
        expect(cells(page, node)).to_have_text(line)
    second.kill()
    expect(cells(page, first)).to_have_text(["itself", re.compile("^dead")])
    expect(cells(page, second)).to_have_text(["not asked: it is not there"])
    second.started()
    expect(cells(page, second)).to_have_text(["alive", "itself"])


def test_the_page_recovers_by_itself(page: Page, tmp_path: Path) -> None:
    node = DiscoveryNode(tmp_path, "LPAR1", HOST1, HOST1)
    with running(node):
        look(page, node)
        node.kill()
        expect(page.locator("#state")).to_contain_text("reconnecting: this node does not answer; what is shown is of")
        node.started()
        expect(page.locator("#state")).to_have_text("live")
        register(node, "i1")
        expect(row(page, "i1")).to_be_visible()


def test_a_page_that_nobody_sees_asks_for_nothing(page: Page, nodes: tuple[DiscoveryNode, DiscoveryNode]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.add_init_script("Object.defineProperty(document, 'visibilityState', {get: () => window.shade ?? 'visible'})")
    page.clock.install()
    look(page, nodes[0])
    with page.expect_response(re.compile("/dashboard/state")) as answer:
        page.clock.run_for(1100)
    answer.value.finished()
    page.evaluate("window.shade = 'hidden'")
    count = len(asked)
    page.clock.run_for(20_000)
    assert len(asked) == count
    with page.expect_request(re.compile("/dashboard/state")):
        page.evaluate("window.shade = 'visible'; document.dispatchEvent(new Event('visibilitychange'))")


def test_a_filter_stays_in_the_address(page: Page, nodes: tuple[DiscoveryNode, DiscoveryNode]) -> None:
    first, _ = nodes
    for number in range(3):
        register(first, f"i{number}", status="DOWN" if number else "UP")
    poll("all are there", lambda: first.get("/dashboard/state")["instances"]["total"] == 5)
    look(page, first)
    page.get_by_label("Show only").fill("i2")
    expect(page.locator("#shown")).to_have_text("1 of 5 shown")
    expect(page).to_have_url(re.compile(r"\?q=i2$"))
    page.reload()
    expect(page.locator("#shown")).to_have_text("1 of 5 shown")
    page.get_by_role("link", name="DOWN 2").click()
    expect(page.locator("#shown")).to_have_text("2 of 5 shown")
    page.get_by_label("Show only").fill("none such")
    expect(page.locator("#empty")).to_have_text("Nothing matches.")


def test_springs_second_page_leads_to_the_last_events(page: Page, nodes: tuple[DiscoveryNode, DiscoveryNode]) -> None:
    look(page, nodes[0], "/lastn")
    expect(page).to_have_url(nodes[0].url + "/#events")
    expect(page.locator("#said")).to_contain_text("node.started")


def test_hostile_words_are_text(page: Page, nodes: tuple[DiscoveryNode, DiscoveryNode]) -> None:
    image, script = "<img src=x onerror=alert(1)>", "<script>alert(1)<|script>"
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    first, _ = nodes
    urls = dict.fromkeys(("homePageUrl", "statusPageUrl", "healthCheckUrl"), "javascript:alert(1)")
    register(first, image, script, hostName=image, metadata={"zos.lpar": "</td><script>alert(1)</script>"}, **urls)
    look(page, first)
    hostile = page.locator("#instances tr", has_text=image)
    expect(hostile).to_contain_text("</td><script>alert(1)</script>")
    expect(hostile.get_by_role("link")).to_have_count(0)
    expect(page.locator("#came")).to_contain_text(image)
    assert page.locator("main img, main script").count() == 0
    assert dialogs == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(page: Page, tmp_path: Path, scheme: Any) -> None:
    """With all its parts, and with nothing cut off at the width of a telephone."""
    definitions = tmp_path / "defs"
    definitions.mkdir()
    (definitions / "bad.yml").write_text(BAD)
    (definitions / "stockroom.yml").write_text(STATIC)
    settings = {"eureka_peers": NOBODY, "static_api_definitions_directories": definitions, "static_s": 1}
    first, second = two_nodes(tmp_path, **settings)
    page.emulate_media(color_scheme=scheme)
    with running(first, second):
        look(page, first)
        register(first, "i1", homePageUrl="http://h.test/", securePort={"$": 8443, "@enabled": "true"})
        register(first, "i2", status="DOWN")
        assert first.eureka("PUT", "ORDERS/i1/status?value=OUT_OF_SERVICE") == 200
        first.register(*(f"short{number}" for number in range(60)), lease_s=1)
        second.kill()
        expect(page.locator("#alarms")).to_contain_text("Self-preservation is on.")
        expect(page.locator("#guards")).to_contain_text("on for")
        expect(page.locator("#servers")).to_contain_text("failing: Connection refused")
        expect(page.locator("#refused")).to_contain_text("nonsense")
        expect(page.locator("#instances")).to_contain_text("static")
        expect(cells(page, first)).to_have_text(["itself", re.compile("^dead")])
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_snapshot()
            assert page.evaluate("document.documentElement.scrollWidth") == width
