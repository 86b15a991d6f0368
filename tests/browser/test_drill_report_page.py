"""The report of a drill in a real browser, opened from its file: its figures, its script, and everybody can read it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from launcher.drill.report import html
from launcher.drill.result import Report
from tests import drill_reports

IMAGE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def opened(page: Page, tmp_path: Path) -> Page:
    crowded = [drill_reports.step(1 + n / 2, f"pause LPAR{n % 2 + 1} gateway", until=2 + n / 2) for n in range(20)]
    everything: Report = drill_reports.report(
        drill_reports.plexmesh(),
        drill_reports.control(failures=40),
        drill_reports.run(label="plexmesh without retry", without=["retry"], steps=crowded, failures=[(9.1, "error")]),
        about=f"Words: {IMAGE}</script>",
    )
    path = tmp_path / "drill.html"
    path.write_text(html(everything), "utf-8")
    page.goto(path.as_uri())
    return page


def test_pointing_at_one_chart_shows_that_moment_of_every_run(opened: Page) -> None:
    expect(opened.locator("header")).to_contain_text(IMAGE)
    readouts = opened.locator(".readout")
    opened.locator(".timeline .over").first.hover(position={"x": 0, "y": 40}, force=True)
    expect(readouts).to_have_text([re.compile(r"^0\.00 s \d+ good, 0 errors, 0 cut · p50 ")] * 3)
    opened.locator(".timeline").nth(1).focus()
    for key in ("End", "ArrowLeft", "Home", "PageDown"):
        opened.keyboard.press(key)
    expect(readouts.first).to_have_text(re.compile(r"^5\.00 s \d+ good, 0 errors, 2 cut .*step: kill LPAR2"))
    opened.keyboard.press("End")
    expect(readouts.first).to_have_text("90.00 s after the end of this run")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(opened: Page, scheme: Any) -> None:
    """With everything unfolded, on a screen and on a telephone, where nothing is cut off."""
    opened.emulate_media(color_scheme=scheme)
    opened.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for width in (1280, 390):
        opened.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(opened)
        assert found.violations_count == 0, found.generate_snapshot()
        assert opened.evaluate("document.documentElement.scrollWidth") == width


def test_on_paper_everything_is_unfolded_and_nothing_is_cut_off(opened: Page) -> None:
    opened.set_viewport_size({"width": 760, "height": 1000})
    opened.emulate_media(media="print")
    assert opened.evaluate("document.documentElement.scrollWidth") == 760
    opened.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.locator("details:not([open])").count() == 0
    opened.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.locator("details[open]").count() == 0
