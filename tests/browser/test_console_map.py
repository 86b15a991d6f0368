"""The console's shell and its map, in a real browser, told by a gateway that is made up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.fake_console import FakeConsole, line
from tests.browser.fake_document import USERS, instance, key, sysplex, the_service
from tests.integration.launcher_rig import poll

KEY = key(USERS, "LPAR2")
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>'
SVG = "{http://www.w3.org/2000/svg}"
MAX_BYTES = 300_000


@pytest.fixture
def fake() -> Iterator[FakeConsole]:
    fake = FakeConsole(sysplex(lpars=2)).open()
    yield fake
    fake.end()


def look(page: Page, fake: FakeConsole, path: str = "/") -> None:
    page.goto(fake.url + path)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def box(page: Page, begins: str) -> Locator:
    """What stands in the map under a name that begins so."""
    return page.locator(f'svg.map a[aria-label^="{begins}"]')


def said(page: Page, begins: str, text: str) -> None:
    expect(box(page, begins)).to_have_attribute("aria-label", re.compile(text))


def left_out(fake: FakeConsole, why: str) -> None:
    seen = {**fake.document["instances"][KEY]["seen"]}
    seen["LPAR1"] = {**seen["LPAR1"], "view": "out", "why": why, "perS": 0}
    fake.set("instances", KEY, view="out", why=why, seen=seen)


def test_everything_is_there_with_its_state_in_words_and_in_a_shape(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    said(page, "Sysplex address", "calls go to LPAR1, LPAR2")
    for lpar in ("LPAR1", "LPAR2"):
        for name in ("gateway", "caching", "launcher", "discovery"):
            said(page, f"{name} of {lpar}", "ready")
        said(page, f"gateway of {lpar}", r"64/s · p99 6\.4 ms.*3 in flight")
        said(page, f"{USERS} in {lpar}", "up, .*/s")
    said(page, "payroll outside the sysplex", "up")
    said(page, "Storage vsam", "durable · shared")
    for ghost in ("ZIS", "SAF", "z/OSMF"):
        expect(page.locator("svg.map .ghosts").get_by_text(ghost, exact=True).first).to_be_visible()
    good = shape(page, f"{USERS} in LPAR2")
    fake.set("components", "LPAR2/caching", state="failed", why="exit code 1")
    said(page, "caching of LPAR2", "failed: exit code 1")
    assert shape(page, "caching of LPAR2") != good


def shape(page: Page, begins: str) -> str:
    """The outline of a box's mark."""
    return next(
        outline
        for outline in (path.get_attribute("d") or "" for path in box(page, begins).locator("path").all())
        if outline
    )


def test_what_changes_is_changed_in_place(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    kept = box(page, f"{USERS} in LPAR2").element_handle()
    box(page, f"{USERS} in LPAR2").focus()
    left_out(fake, "connection refused")
    said(page, f"{USERS} in LPAR2", "out: connection refused")
    expect(page.locator("svg.map").get_by_text("left out").first).to_be_visible()
    fake.set("instances", KEY, view="fine", why="", status="OUT_OF_SERVICE")
    said(page, f"{USERS} in LPAR2", "draining, 2 in flight")
    fake.set("nodes", "LPAR1", peers={"LPAR2": "suspect"})
    said(page, "discovery of LPAR1", "LPAR2 suspect")
    fake.set("lpars", "LPAR2", onAddress=False)
    said(page, "Sysplex address", "calls go to LPAR1$")
    fake.set("lpars", "LPAR2", state="paused")
    said(page, "LPAR2", "paused")
    assert kept is not None
    assert kept.evaluate("(element) => element.isConnected && element === document.activeElement")


def test_an_lpar_appears_and_goes(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    expect(box(page, "LPAR3")).to_have_count(0)
    three = sysplex(lpars=3)
    fake.change({name: {k: v for k, v in three[name].items() if "LPAR3" in k} for name in ("lpars", "components")})
    said(page, "LPAR3", "ready")
    fake.change({}, {"lpars": ["LPAR3"], "components": [k for k in three["components"] if k.startswith("LPAR3")]})
    expect(box(page, "LPAR3")).to_have_count(0)


def test_the_gateway_goes_and_another_one_takes_over(page: Page, fake: FakeConsole) -> None:
    fake.lines = [line("before")]
    look(page, fake)
    connection = page.locator("#connection")
    fake.close()
    expect(connection).to_have_text(re.compile("gateway of LPAR1 does not answer; trying again at the sysplex address"))
    said(page, f"{USERS} in LPAR2", "up")  # the picture stays
    expect(page.locator("body")).to_have_attribute("data-connection", "gone")
    fake.lpar, fake.lines = "LPAR2", [line("after")]
    fake.open()
    expect(connection).to_have_text(re.compile("gateway of LPAR2 answers now"))
    page.get_by_role("link", name="Events", exact=True).click()
    for text in ("before", "after"):
        expect(page.get_by_text(text, exact=True)).to_be_visible()


def test_a_gateway_that_says_nothing_is_left(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    begun = fake.streams_begun
    fake.quiet = True
    expect(page.locator("#connection")).to_have_attribute("data-state", "gone")
    fake.close()
    fake.quiet = False
    fake.open()
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    assert fake.streams_begun > begun


def test_nothing_is_known_yet(page: Page, fake: FakeConsole) -> None:
    fake.document = {}
    look(page, fake)
    expect(page.get_by_text("No LPAR is known yet")).to_be_visible()


def test_all_tabs_share_one_stream(browser: Browser, fake: FakeConsole) -> None:
    context = browser.new_context()
    try:
        pages = [context.new_page() for _ in range(8)]  # two more than a browser opens connections
        for page in pages:
            look(page, fake)
        assert fake.streams == 1
        left_out(fake, "connection refused")
        for page in pages:
            said(page, f"{USERS} in LPAR2", "connection refused")
    finally:
        context.close()


def test_hostile_words_are_text(page: Page, fake: FakeConsole) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    service = f"evil{HOSTILE}"
    entry = {**instance(USERS, "LPAR2", 5, ["LPAR1"]), "service": service, "key": f"{service}/x", "why": HOSTILE}
    about = {**the_service(service), "title": HOSTILE, "description": HOSTILE}
    fake.change({"services": {service: about}, "instances": {entry["key"]: entry}})
    fake.set("components", "LPAR2/gateway", state="failed", why=HOSTILE)
    fake.news(line(HOSTILE, tone="bad"))
    look(page, fake)
    said(page, "evil", re.escape(HOSTILE))
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("cell", name=service)).to_be_visible()
    for name in ("Events", "Services", "Catalog", "Cache", "Lab"):
        page.get_by_role("link", name=name, exact=True).first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile(name, re.IGNORECASE))
    assert page.locator("#view img, #view script").count() == 0
    assert dialogs == []


def test_the_map_is_saved_as_a_file_that_needs_nothing(page: Page, fake: FakeConsole) -> None:
    left_out(fake, HOSTILE)
    look(page, fake)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as SVG").click()
    assert download.value.suggested_filename == "PLEX1-map.svg"
    root = ElementTree.parse(download.value.path()).getroot()
    assert root.tag == f"{SVG}svg"
    texts = [text for element in root.iter(f"{SVG}text") if (text := "".join(element.itertext()))]
    assert {"LPAR1", "LPAR2", "ZIS", "SAF", "z/OSMF"} <= set(texts)
    assert any("not simulated" in text for text in texts)
    for element in root.iter():
        assert element.tag not in (f"{SVG}a", f"{SVG}script", f"{SVG}image", f"{SVG}style")
        assert not any(name.endswith("href") or name.startswith("on") for name in element.attrib)


def test_many_instances_are_folded_and_their_page_is_one_click_away(page: Page) -> None:
    fake = FakeConsole(sysplex(lpars=2, each=100)).open()
    try:
        look(page, fake)
        said(page, f"{USERS} in LPAR2", "100")
        left_out(fake, "connection refused")
        said(page, f"{USERS} in LPAR2", "99.*1|1.*99")
        box(page, f"{USERS} in LPAR2").click()
        expect(page).to_have_url(f"{fake.url}/console/services/{USERS}")
    finally:
        fake.end()


def test_the_pages_can_be_gone_through_by_keyboard(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#view")).to_be_focused()
    box(page, f"{USERS} in LPAR1").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/console/services/{USERS}"))
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.go_back()
    said(page, f"{USERS} in LPAR1", "up")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(page: Page, fake: FakeConsole, scheme: Any) -> None:
    left_out(fake, "connection refused")
    fake.set("components", "LPAR2/caching", state="failed", why="exit code 1")
    fake.set("nodes", "LPAR1", peers={"LPAR2": "dead"})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 800})
        look(page, fake)
        page.get_by_text("The same as a table").click()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_snapshot()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_weighs_little(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    last = "performance.getEntriesByName(origin + '/static/lab.js').length"
    poll("all views are loaded", lambda: page.evaluate(last))  # the page's own polling is what its policy forbids
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        ".map((each) => [each.name, each.transferSize])"
    )
    assert any(name.endswith("/static/map.js") and size for name, size in sizes)
    assert sum(size for _, size in sizes) < MAX_BYTES
