"""A real browser, Debian's Chromium without a window; tests that need it are skipped by name where it is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

WITHIN_MS = 15_000
FAILED = "Failed to load resource: "
ANSWERED = f"{FAILED}the server responded with a status of"
EXPECTED = f"{FAILED}net::ERR_", f"{ANSWERED} 503", f"{ANSWERED} 401"

expect.set_options(timeout=WITHIN_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is missing: sudo apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """It loads from one place only, and nothing goes wrong in it; that nobody answers, not now,
    or not without a login, is not its fault."""
    page = browser.new_page()
    faults: list[str] = []
    places: set[str] = set()
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: places.add(urlsplit(request.url).netloc))
    yield page
    page.close()
    assert [each for each in faults if not each.startswith(EXPECTED)] == []
    assert len(places) <= 1
