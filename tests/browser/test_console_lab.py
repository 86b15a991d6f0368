"""The Lab and the page of a drill in a real browser, against a console that says what a test wants."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.fake_console import FakeConsole
from tests.browser.fake_document import lab, sysplex

HOST = f"127.0.112.{os.getpid() % 250 + 1}"
IMAGE = "<img src=x onerror=alert(1)>"
RUN = "20261126-142752"
LPARS = "/console/v1/lab/lpars"


@pytest.fixture
def fake() -> Iterator[FakeConsole]:
    fake = FakeConsole(sysplex(2), HOST).open()
    yield fake
    fake.end()


def look(page: Page, fake: FakeConsole, path: str = "lab") -> None:
    page.goto(f"{fake.url}/console/{path}")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def a_run(**fields: Any) -> dict[str, Any]:
    told = {"run": RUN, "drill": "lpar-crash", "title": "An LPAR crashes", "state": "running", "began": 1795702504.0}
    return {**told, "step": "", "why": "", "phase": "plexmesh", "verdicts": [], "report": False, **fields}


def a_slice(n: int, **fields: Any) -> dict[str, Any]:
    counted = {"run": RUN, "n": n, "phase": "plexmesh", "at": float(n), "ok": 100, "errors": 0, "cut": 0}
    return {f"{RUN}/{n:06}": {**counted, "p99Ms": 4.0, "served": {"LPAR1": 60, "LPAR2": 40}, **fields}}


def a_moment(n: int, at: float, text: str, kind: str = "step", lpar: str = "") -> dict[str, Any]:
    told = {"run": RUN, "n": n, "phase": "plexmesh", "at": at, "kind": kind, "lpar": lpar, "text": text}
    return {f"{RUN}/{n:04}": told}


# --- the Lab


def test_an_order_is_given_after_a_question(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    kill = button(page, "Kill LPAR2")
    kill.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Kill LPAR2?")
    expect(dialog).to_contain_text("Every process of LPAR2 is killed at once (SIGKILL)")
    expect(dialog).not_to_contain_text("This page")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(kill).to_be_focused()
    assert fake.orders == []

    fake.answers["POST", f"{LPARS}/LPAR2/kill"] = 200, {"done": "LPAR2 was killed: nothing of it runs"}
    kill.click()
    page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    expect(page.get_by_label("Last answers").get_by_role("listitem").first).to_contain_text("LPAR2 was killed")
    assert fake.orders == [("POST", f"{LPARS}/LPAR2/kill", {})]
    expect(kill).to_be_focused()


def test_what_makes_sense_follows_the_state_and_focus_is_not_lost(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="LPAR2"))
    orders = card.get_by_role("button")
    whole, part = ["Kill", "Pause", "Stop", "Quiesce"], ["Kill", "Pause", "Stop"]
    expect(orders).to_have_text([*whole, *part * 4])
    fake.set("components", "LPAR2/sample", state="stopped", pid=None)
    expect(orders).to_have_text(["Start", *whole, *part * 3, "Start"])
    fake.set("components", "LPAR2/sample", state="paused", pid=7)
    expect(orders).to_have_text([*whole, *part * 3, "Resume", "Kill", "Stop"])
    button(page, "Pause LPAR2").focus()
    fake.set("lpars", "LPAR2", state="paused", onAddress=False)
    expect(orders).to_have_text(["Resume", "Kill", "Stop"])
    expect(button(page, "Resume LPAR2")).to_be_focused()
    fake.set("lpars", "LPAR2", state="silent", onAddress=None)
    expect(orders).to_have_text(["Resume", "Start", "Kill"])
    for name in ("discovery", "gateway", "caching", "sample"):
        fake.set("components", f"LPAR2/{name}", state="failed", pid=None)
    fake.set("lpars", "LPAR2", state="failed")
    expect(orders.first).to_have_text("Start")
    expect(button(page, "Start LPAR2")).to_be_focused()

    button(page, "Start LPAR2").click()
    expect(page.get_by_label("Last answers")).to_contain_text("done")
    assert fake.orders == [("POST", f"{LPARS}/LPAR2/start", {})], "what mends is not asked about"


def test_a_refusal_is_told_and_the_own_gateway_is_known(page: Page, fake: FakeConsole) -> None:
    look(page, fake)
    answers = page.get_by_label("Last answers").get_by_role("listitem")
    stop = f"{LPARS}/LPAR1/components/discovery/stop"
    fake.answers["POST", stop] = 503, {"detail": f"its launcher does not answer {IMAGE}"}
    button(page, "Stop discovery of LPAR1").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(answers.first).to_contain_text(f"its launcher does not answer {IMAGE}")
    button(page, "Kill gateway of LPAR1").click()
    expect(page.get_by_role("dialog")).to_contain_text("This page comes from its gateway")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.route("**/gateway/kill", lambda route: route.abort())
    button(page, "Kill gateway of LPAR1").click()
    page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    expect(answers.first).to_contain_text("ordered. The gateway that passed it on went with it.")


def test_off_it_says_why_and_how_to_switch_it_on(page: Page, fake: FakeConsole) -> None:
    fake.change({"lab": {"": {**lab(), "enabled": False, "lpars": False, "why": f"Set console.lab: true. {IMAGE}"}}})
    look(page, fake)
    expect(page.locator("main")).to_contain_text(f"The Lab is off. Set console.lab: true. {IMAGE}")
    expect(page.locator("main").get_by_role("button")).to_have_count(0)
    fake.change({"lab": {"": {**lab(), "lpars": False, "why": "Whole LPARs need plexmesh up."}}})
    expect(button(page, "Kill sample of LPAR2")).to_be_visible()
    expect(button(page, "Kill LPAR2")).to_have_count(0)
    expect(page.get_by_role("heading", name="Drills")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("Whole LPARs need plexmesh up.")


# --- drills


def test_a_drill_from_its_start_to_its_verdict(page: Page, fake: FakeConsole) -> None:
    fake.answers["POST", "/console/v1/lab/drills"] = 202, {"run": RUN}
    fake.answers["GET", f"/console/v1/lab/drills/{RUN}/report"] = 200, f"<h1>Report {RUN}</h1>"
    look(page, fake)
    fake.set(
        "lab", "", drills=[*lab()["drills"], {"name": "mine", "title": "x", "about": "", "trouble": "mine.yaml: no"}]
    )
    expect(page.locator("main")).to_contain_text("mine.yaml: no")
    expect(button(page, "Start the drill mine")).to_be_hidden()
    button(page, "Start the drill lpar-crash").click()
    expect(page.get_by_role("dialog")).to_contain_text("under load, and mended afterwards. Everything in it is killed")
    button(page, "Start the drill").click()
    expect(page).to_have_url(f"{fake.url}/console/lab/{RUN}")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert fake.orders == [("POST", "/console/v1/lab/drills", {"drill": "lpar-crash", "control": False})]

    fake.change({"runs": {RUN: a_run()}, "slices": a_slice(0)})
    expect(page.locator(".now")).to_have_text("It begins: calls are made, nothing is broken yet.")
    chart = page.get_by_role("img", name="Chart of 1 second: 100 good answers, 0 error answers, 0 cut, no steps")
    expect(chart).to_be_visible()
    page.evaluate("window.first = document.querySelector('.shape-ok')")
    fake.change(
        {
            "runs": {RUN: a_run(step="kill LPAR2")},
            "slices": {**a_slice(1, ok=90, errors=7, cut=3, p99Ms=80.0), **a_slice(2, ok=0, cut=100, p99Ms=None)},
            "moments": {**a_moment(0, 1.0, "kill LPAR2"), **a_moment(1, 1.2, f"peer {IMAGE}", "event", "LPAR1")},
        }
    )
    expect(page.locator(".now")).to_have_text("Step: kill LPAR2")
    name = "Chart of 3 seconds: 190 good answers, 7 error answers, 103 cut, 1 step"
    expect(page.get_by_role("img", name=name)).to_be_visible()
    expect(page.locator(".shape-cut")).to_have_attribute("d", re.compile(r"^M50 .*Z M?.*|^M50 .*M100 .*Z$"))
    expect(page.locator(".step-numbers")).to_have_text("1")
    assert page.evaluate("window.first.isConnected"), "it grows in place"
    figures = page.locator("dl")
    expect(figures).to_contain_text(re.compile("Good answers190.*Error answers7.*Cut103.*Highest p99 of a second80 ms"))
    expect(page.get_by_role("region", name="What happened")).to_contain_text(f"peer {IMAGE}")

    verdicts = [
        {"text": "no GET fails", "measured": "0 of 9", "passed": True},
        {"text": f"soon back {IMAGE}", "measured": "after 9 s", "passed": False},
        {"text": "is fenced", "measured": "not seen", "passed": None},
    ]
    button(page, "Stop the drill").focus()
    fake.change({"runs": {RUN: a_run(state="failed", verdicts=verdicts, report=True)}})
    expect(page.locator(".now")).to_have_text("Not as expected: 1 expectation did not hold.")
    expect(button(page, "Stop the drill")).to_be_hidden()
    expect(page.get_by_role("heading", name="An LPAR crashes")).to_be_focused()
    table = page.get_by_role("table").filter(has_text="Measured")
    expect(table.get_by_role("row")).to_have_text(
        [
            re.compile("Expected"),
            re.compile("no GET fails0 of 9held"),
            re.compile("did not hold"),
            re.compile("not judged"),
        ]
    )
    expect(page.locator("iframe")).not_to_have_attribute("src", re.compile("."))
    page.get_by_text("Report", exact=True).click()
    expect(page.frame_locator("iframe").get_by_role("heading")).to_have_text(f"Report {RUN}")
    expect(page.locator("iframe")).to_have_attribute("sandbox", "allow-scripts")
    assert page.locator("main img, main script").count() == 0


def test_one_that_runs_is_stopped_after_a_question(page: Page, fake: FakeConsole) -> None:
    path = f"/console/v1/lab/drills/{RUN}"
    fake.answers["DELETE", path] = 202, {"done": "It mends what it has broken, and ends."}
    fake.change({"runs": {RUN: a_run(step="kill LPAR2")}, "lab": {"": {**lab(), "running": RUN}}})
    look(page, fake)
    expect(page.locator("main")).to_contain_text("Running now: An LPAR crashes: kill LPAR2")
    button(page, "Start the drill lpar-crash").click()
    expect(page.get_by_label("Last answers")).to_contain_text("A drill is running: one at a time.")
    page.get_by_role("region", name="Runs").get_by_role("link", name="An LPAR crashes").click()
    button(page, "Stop the drill").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert fake.orders == []
    button(page, "Stop the drill").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop the drill").click()
    expect(page.locator("main")).to_contain_text("It mends what it has broken, and ends.")
    assert fake.orders == [("DELETE", path, {})]
    fake.change({"runs": {RUN: a_run(state="interrupted", why="stopped by order")}})
    expect(page.locator(".now")).to_have_text("It did not come to its end: stopped by order.")


def test_a_run_nobody_knows(page: Page, fake: FakeConsole) -> None:
    look(page, fake, "lab/%3Cb%3E")
    expect(page.locator("main")).to_contain_text("There is no run <b>.")


def test_everybody_can_use_it(page: Page, fake: FakeConsole) -> None:
    """In the light on a screen, in the dark on a telephone, with everything unfolded."""
    long = "W" * 200
    verdicts = [{"text": long, "measured": long, "passed": False}]
    moments = {**a_moment(0, 5.0, long), **a_moment(1, 5.5, long), **a_moment(2, 80.0, long, "event", "LPAR1")}
    slices = {key: each for n in range(90) for key, each in a_slice(n).items()}
    run = a_run(title=long, state="failed", verdicts=verdicts, report=True)
    fake.change({"runs": {RUN: run}, "slices": slices, "moments": moments})
    fake.set("lpars", "LPAR2", state="paused")
    for path in ("lab", f"lab/{RUN}"):
        look(page, fake, path)
        expect(page.locator("main")).to_contain_text(long)
        page.evaluate("document.querySelectorAll('details:not(:has(iframe))').forEach((each) => each.open = true)")
        scheme: Any
        for scheme, width in (("light", 1280), ("dark", 390)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_snapshot()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
