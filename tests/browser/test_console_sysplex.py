"""The console of a real sysplex, at the sysplex address alone: something is killed, the page heals and shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.integration.launcher_rig import VIPA_HOST, Rig, poll
from tests.integration.test_console_lab import SHORT

HOME = f"http://{VIPA_HOST}:7554"
SHOTS = Path(__file__).with_name("screenshots")
"""Kept after the run, as its output."""


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("console"))
    rig.tree["components"] = {"discovery": {}, "gateway": {}, "caching": {}, "sample": {}}
    (rig.folder / "drills").mkdir()
    (rig.folder / "drills" / "short.yaml").write_text(SHORT)
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def serving(page: Page) -> str:
    """The LPAR whose gateway tells the page what happens."""
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    found = re.search(r"gateway of (LPAR\d)", page.locator("#connection").inner_text())
    assert found is not None
    return found[1]


def other(lpar: str) -> str:
    return "LPAR2" if lpar == "LPAR1" else "LPAR1"


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def test_the_gateway_that_serves_the_page_is_killed_and_the_page_goes_on_at_another(sysplex: Rig, page: Page) -> None:
    page.goto(f"{HOME}/console/events")
    first = serving(page)
    started = page.get_by_text(f"{first}'s gateway serves at").first
    expect(started).to_be_visible()
    sysplex.call("kill", first, "gateway")
    expect(page.locator("#connection")).to_contain_text(f"gateway of {other(first)}")
    expect(page.get_by_text(re.compile(rf"{first}'s gateway\(\d+\) ended"))).to_be_visible()
    expect(started).to_be_visible()  # what was known before is there still
    shot(page, "events-after-a-kill")
    poll("the gateway is back", lambda: sysplex.status()["sysplex"]["state"] == "ready")


def test_the_map_shows_an_lpar_die_and_come_back(sysplex: Rig, page: Page) -> None:
    page.goto(HOME)
    victim = other(serving(page))
    frame = page.get_by_role("link", name=re.compile(rf"^{victim}\b")).first
    expect(frame).to_have_accessible_name(re.compile("ready"))
    shot(page, "map")
    sysplex.call("kill", victim)
    expect(frame).to_have_accessible_name(re.compile("failed|stopped|silent"))
    shot(page, "map-lpar-killed")
    sysplex.call("start", victim)
    expect(frame).to_have_accessible_name(re.compile("ready"))
    assert page.url == f"{HOME}/", "nothing was loaded anew"


def test_an_order_from_the_lab_is_carried_out_and_seen(sysplex: Rig, page: Page) -> None:
    page.goto(f"{HOME}/console/lab")
    before = sysplex.status()["lpars"][1]["components"]
    pid = next(each["pid"] for each in before if each["name"] == "sample")
    page.get_by_role("button", name=re.compile(r"^Kill sample.*LPAR2|^Kill LPAR2.*sample")).click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Kill")).click()

    def replaced() -> bool:
        parts = sysplex.status()["lpars"][1]["components"]
        return any(each["name"] == "sample" and each["pid"] not in (pid, None) for each in parts)

    poll("its launcher has started it again", replaced)
    page.get_by_role("link", name="Events").click()
    expect(page.get_by_text(f"LPAR2's sample({pid}) ended")).to_be_visible()


def test_a_drill_is_followed_from_the_lab_to_its_report(sysplex: Rig, page: Page) -> None:
    poll("everything is ready", lambda: sysplex.status()["sysplex"]["state"] == "ready")
    page.goto(f"{HOME}/console/lab")
    page.get_by_role("button", name="Start the drill short").click()
    page.get_by_role("dialog").get_by_role("button", name="Start the drill").click()
    expect(page).to_have_url(re.compile(r"/console/lab/\d{8}-\d{6}"))
    verdicts = page.locator(".verdict tbody tr")
    expect(verdicts).to_have_count(2)
    expect(verdicts.first).to_contain_text("held")
    shot(page, "drill")
    page.locator("summary", has_text="Report").click()
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading", level=1)).to_contain_text("A sample is killed")
    page.get_by_role("link", name="Events", exact=True).click()
    expect(page.get_by_text("drill short passed").first).to_be_visible()


def test_every_page_can_be_opened_at_its_address_and_shows_something(sysplex: Rig, page: Page) -> None:
    pages = {
        "/console/services": "sample", "/console/services/sample": "Sample service",
        "/console/catalog": "Caching service", "/console/cache": "PLEX.CACHE", "/console/lab": "LPAR2",
    }  # fmt: skip
    for path, text in pages.items():
        page.goto(HOME + path)
        expect(page.locator("#view").get_by_text(text).first).to_be_visible()
        shot(page, path.removeprefix("/console/").replace("/", "-"))
