"""The console's timeline and its page of the caches, in a real browser, told by a gateway that is made up."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.fake_console import FakeConsole, line
from tests.browser.fake_document import USERS, key, sysplex

KEY = key(USERS, "LPAR2")
OUT = f"LPAR1's gateway leaves out {USERS} at 127.0.2.1:7560: connection refused"
DEAD = "LPAR2's discovery is dead, says LPAR1: no answer for 3.1 s"
KILLED = "LPAR2: killed; start it again with: plexmesh start LPAR2"
SERVES = "LPAR1's gateway serves at 127.0.1.1:7554"
HOSTILE = "<img src=x onerror=alert(1)></li><script>alert(1)</script>"


def told() -> list[dict[str, Any]]:
    """What happens when LPAR2 is killed, oldest first."""
    then = float(int(time.time()) - 60)
    return [
        line(KILLED, time=then, lpar="LPAR2", kind="process", tone="bad", **{"from": "sysplex"}),
        line(OUT, time=then + 0.1, kind="health", tone="bad", service=USERS, instance=KEY),
        line(DEAD, time=then + 3, kind="peer", tone="bad", **{"from": "discovery"}),
        line(SERVES, time=then + 9, kind="process", tone="good"),
    ]


@pytest.fixture
def fake() -> Iterator[FakeConsole]:
    fake = FakeConsole(sysplex(lpars=2)).open()
    fake.lines = told()
    yield fake
    fake.end()


def look(page: Page, fake: FakeConsole, path: str = "/console/events") -> None:
    page.goto(fake.url + path)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def words(page: Page) -> Locator:
    return page.locator(".line .words")


def test_the_newest_line_is_first_and_says_how_bad_it_is(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    expect(words(page)).to_have_text([f"good: {SERVES}", f"bad: {DEAD}", f"bad: {OUT}", f"bad: {KILLED}"])
    expect(page.locator(".second")).to_have_count(3)
    link = page.get_by_role("link", name=f"instance {KEY}")
    expect(link).to_have_attribute("href", re.compile(r"^/console/services/sample/sample%2F127\.0\.2\.1"))
    link.focus()
    fake.news(line("LPAR2: all components ready", lpar="LPAR2", kind="process", tone="good"))
    expect(words(page).first).to_have_text("good: LPAR2: all components ready")
    expect(link).to_be_focused()


def test_what_is_shown_is_chosen_and_stays_in_the_address(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    page.get_by_label("LPAR").select_option("LPAR2")
    expect(words(page)).to_have_text([f"bad: {DEAD}", f"bad: {KILLED}"])
    page.get_by_role("button", name="Processes").click()
    expect(words(page)).to_have_text([f"bad: {KILLED}"])
    expect(page).to_have_url(re.compile(r"\?lpar=LPAR2&kind=process$"))
    page.reload()
    expect(words(page)).to_have_text([f"bad: {KILLED}"])
    expect(page.get_by_role("button", name="Processes")).to_have_attribute("aria-pressed", "true")

    page.get_by_label("Search").fill("none such")
    expect(page.get_by_text("No line matches.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(words(page)).to_have_count(4)
    page.get_by_label("Service").select_option(USERS)
    expect(words(page)).to_have_text([f"bad: {OUT}"])
    page.get_by_label("Service").select_option("")
    page.get_by_role("button", name="Only trouble").click()
    expect(words(page)).to_have_count(3)


def test_a_pause_keeps_what_is_read_and_says_what_waits(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    expect(words(page)).to_have_count(4)
    page.get_by_role("button", name="Pause").click()
    fake.news(line("one"), line("two"))
    resume = page.get_by_role("button", name="Resume (2 new)")
    expect(resume).to_be_visible()
    expect(words(page)).to_have_count(4)
    resume.click()
    expect(words(page).first).to_have_text("two")


def test_a_screen_reader_hears_a_summary(page: Page, fake: FakeConsole) -> None:
    page.clock.install()
    look(page, fake)
    expect(words(page)).to_have_count(4)
    page.clock.run_for(5100)
    fake.news(line("one"), line("two"))
    expect(words(page)).to_have_count(6)
    page.clock.run_for(5100)
    expect(page.locator(".view [role=status]")).to_have_text("2 new lines. two")


def test_hostile_words_are_text(page: Page, fake: FakeConsole) -> None:
    fake.lines.append(line(HOSTILE, lpar=HOSTILE, service=HOSTILE, instance=f"{HOSTILE}/1", tone=HOSTILE, kind=HOSTILE))
    look(page, fake)
    expect(words(page).first).to_have_text(HOSTILE)
    page.get_by_label("Service").select_option(HOSTILE)
    expect(words(page)).to_have_count(1)
    fake.set("caches", "LPAR1", remark=HOSTILE, place=HOSTILE, why=[HOSTILE], perS={HOSTILE: 1.0})
    page.get_by_role("link", name="Cache", exact=True).click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text(HOSTILE)
    assert page.locator("main img, main script").count() == 0


def test_without_news_it_says_so(page: Page, fake: FakeConsole) -> None:
    fake.lines = []
    look(page, fake)
    expect(page.get_by_text("Nothing has happened yet.")).to_be_visible()


def test_thousands_of_lines_are_quickly_filtered(page: Page, fake: FakeConsole) -> None:
    then = time.time() - 4000
    fake.lines = [line(f"line {number}", time=then + number) for number in range(2000)]
    look(page, fake)
    expect(words(page)).to_have_count(2000)
    page.get_by_label("Search").fill("line 1999")
    expect(words(page)).to_have_count(1)


def test_a_cache_says_what_it_promises_and_how_it_is(page: Page, fake: FakeConsole) -> None:
    look(page, fake, "/console/cache")
    expect(page.get_by_role("heading", name="VSAM, PLEX1.CACHE")).to_have_count(1)
    promises = page.get_by_role("list", name="What it promises")
    expect(promises).to_contain_text("Simulated: a KSDS on SQLite")
    expect(promises).to_contain_text("Shared: every LPAR sees the same entries.")
    expect(page.get_by_text("Who calls: callers are believed: no TLS")).to_be_visible()
    second = page.get_by_role("article", name="Caching service of LPAR2")
    expect(second).to_contain_text("128 entries, room for 4,096")
    expect(second.get_by_role("row", name="read")).to_contain_text("3.1/s")
    expect(second.locator(".spark path").first).to_have_attribute("d", re.compile("^M"))

    fake.set("caches", "LPAR2", reachable=False, colour="red", why=["no answer within 1 s"], entries=None, perS={})
    expect(second).to_contain_text("does not answer")
    expect(second).to_contain_text("no answer within 1 s")
    fake.set("caches", "LPAR2", shared=False, durable=False, ackedLoss="all", backend="inMemory", place="")
    expect(page.get_by_role("heading", name="In memory, of LPAR2 alone")).to_be_visible()
    expect(page.get_by_text("A failure takes all acknowledged writes.")).to_be_visible()
    fake.drop("caches", "LPAR1", "LPAR2")
    expect(page.get_by_text("No caching service is registered.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(page: Page, fake: FakeConsole, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    fake.set("caches", "LPAR2", colour="yellow", why=["the last write was refused"], errorsPerS=0.2, shared=False)
    fake.news(line("x" * 300, tone="warn"))
    for path, part in (("/console/events?kind=other,process", ".line"), ("/console/cache", ".storage")):
        look(page, fake, path)
        expect(page.locator(part).first).to_be_visible()
        for width in (1280, 400):
            page.set_viewport_size({"width": width, "height": 900})
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_snapshot()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
