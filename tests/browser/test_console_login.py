"""Who is at the console: logging in and out, and what somebody is told who may not give orders."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.fake_console import FakeConsole
from tests.browser.fake_document import sysplex

HOST = f"127.0.115.{os.getpid() % 250 + 1}"
LOGIN, LOGOUT = "/gateway/api/v1/auth/login", "/gateway/api/v1/auth/logout"
NOBODY = {"name": "", "by": "", "operator": False, "needed": True, "login": True}
ADA = NOBODY | {"name": "ada", "by": "login", "operator": True}
WRONG = {"messages": [{"messageNumber": "ZWEAG120E", "messageContent": "Wrong name or password"}]}


@pytest.fixture
def fake() -> Iterator[FakeConsole]:
    fake = FakeConsole(sysplex(2), HOST)
    fake.me = dict(NOBODY)
    fake.open()
    yield fake
    fake.end()


def look(page: Page, fake: FakeConsole, path: str = "/console/lab") -> Locator:
    """Its place at the top."""
    page.goto(fake.url + path)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    return page.locator("#who")


def test_in_plain_nobody_is_asked(page: Page, fake: FakeConsole) -> None:
    fake.me["needed"] = False
    who = look(page, fake)
    expect(page.get_by_role("button", name="Kill LPAR2", exact=True)).to_be_visible()
    expect(who).to_be_hidden()
    expect(page.get_by_text("Orders are taken from operators")).to_be_hidden()


def test_somebody_logs_in_after_a_mistake_and_out_again(page: Page, fake: FakeConsole) -> None:
    who = look(page, fake)
    expect(page.get_by_text("Orders are taken from operators: log in as one")).to_be_visible()
    who.get_by_role("button", name="Log in").click()
    dialog = page.get_by_role("dialog", name="Log in")
    expect(dialog.get_by_label("Name")).to_be_focused()
    assert not Axe().run(page).response["violations"]

    fake.answers["POST", LOGIN] = 401, WRONG
    dialog.get_by_label("Name").fill("ada")
    dialog.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("Wrong name or password")
    expect(dialog.get_by_label("Password")).to_be_focused()
    expect(dialog.get_by_label("Password")).to_have_value("")

    fake.answers["POST", LOGIN] = 200, None
    fake.me = dict(ADA)
    dialog.get_by_label("Password").fill("right")
    dialog.get_by_role("button", name="Log in").click()
    expect(dialog).to_have_count(0)
    expect(who).to_contain_text("ada, operator")
    expect(page.get_by_text("Orders are taken from operators")).to_be_hidden()
    assert fake.orders == [("POST", LOGIN, {"username": "ada", "password": each}) for each in ("wrong", "right")]

    fake.me = dict(NOBODY)
    who.get_by_role("button", name="Log out").click()
    expect(who.get_by_role("button", name="Log in")).to_be_visible()
    assert fake.orders[-1][:2] == ("POST", LOGOUT)


def test_who_has_shown_a_certificate_is_named_and_cannot_log_out(page: Page, fake: FakeConsole) -> None:
    fake.me = NOBODY | {"name": "orders", "by": "certificate"}
    who = look(page, fake)
    expect(who).to_contain_text("orders")
    expect(who.get_by_role("button")).to_have_count(0)
    expect(page.get_by_text("Orders are taken from operators")).to_be_visible()


def test_a_logout_that_was_not_done_is_told(page: Page, fake: FakeConsole) -> None:
    fake.me = dict(ADA)
    fake.answers["POST", LOGOUT] = 503, {"messages": [{"messageContent": "the caching service does not answer"}]}
    who = look(page, fake)
    who.get_by_role("button", name="Log out").click()
    expect(who).to_contain_text("ada is still logged in: the caching service does not answer")


def test_another_gateway_is_asked_who_is_here(page: Page, fake: FakeConsole) -> None:
    who = look(page, fake)
    expect(who.get_by_role("button", name="Log in")).to_be_visible()
    fake.close()
    fake.me = dict(ADA)
    fake.open()
    expect(who).to_contain_text("ada, operator", timeout=15_000)
