"""How soon the console shows what happened, how soon it is there, what it weighs, and what 200 instances cost it.

    .venv/bin/python -P -m bench.console

On a sysplex of two LPARs of its own (127.0.120.1, 127.0.121.1, 127.0.122.1) and Debian's Chromium:

    event → page    a component is paused or resumed by its launcher; from the moment it is told to, until the map's
                    text has changed, both by the same clock, in milliseconds
    first paint     of a page that was never loaded before, by the browser's own timing (first contentful paint)
    weight          bytes of everything the page loads, all views included, as transferred
    200 instances   a console whose stream has 200 instances and a change ten times a second: script, layout and style
                    per second in the page's process, and the longest task
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Browser, Page, sync_playwright

PROGRAM = Path(sys.executable).with_name("plexmesh")
VIPA, HOSTS = "127.0.122.1", {"LPAR1": "127.0.120.1", "LPAR2": "127.0.121.1"}
HOME = f"http://{VIPA}:7554"
ROUNDS = 10
LOADS = 5
CROWD_S = 10.0

WATCH = """() => {
  const box = [...document.querySelectorAll('[aria-label]')].find((e) => e.ariaLabel.startsWith('sample in LPAR2'));
  window.changes = [];
  const look = () => window.changes.push([Date.now(), box.ariaLabel]);
  new MutationObserver(look).observe(box, {attributeFilter: ['aria-label']});
}"""


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is missing: sudo apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="plexmesh-") as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        up = _up(Path(folder))
        try:
            _events(browser)
            _loads(browser)
        finally:
            up.terminate()
            up.wait(60)
        _crowd(browser)
        browser.close()


def _up(folder: Path) -> subprocess.Popen[bytes]:
    tree = {
        "zowe": {"externalDomains": [VIPA]},
        "components": {"discovery": {}, "gateway": {}, "caching": {}, "sample": {}},
        "haInstances": {name: {"hostname": host} for name, host in HOSTS.items()},
        "plexmesh": {"sysplex": "BENCH", "address": f"{VIPA}:7550"},
    }
    config = folder / "plexmesh.yaml"
    config.write_text(yaml.safe_dump(tree))
    up = subprocess.Popen(
        [PROGRAM, "up", "--config", config, "--data", folder / "data"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and up.poll() is None:
        try:
            status = json.load(urllib.request.urlopen(f"http://{VIPA}:7550/v1/status", timeout=1))
            if status["sysplex"]["state"] == "ready":
                return up
        except OSError:
            pass
        time.sleep(0.2)
    up.terminate()
    raise SystemExit("the sysplex did not come up")


def _order(action: str) -> None:
    url = f"http://{HOSTS['LPAR2']}:7550/v1/components/sample/{action}"
    asked = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
    urllib.request.urlopen(asked, timeout=30).read()


def _events(browser: Browser) -> None:
    page = browser.new_page()
    page.goto(HOME)
    page.wait_for_selector('#connection[data-state="live"]')
    time.sleep(2)
    page.evaluate(WATCH)
    took: list[float] = []
    for _ in range(ROUNDS):
        for action, state in (("pause", "paused"), ("resume", ": up")):
            page.evaluate("() => { window.changes = [] }")
            ordered = time.time()
            _order(action)
            took.append(_seen(page, state) - ordered * 1000)
            time.sleep(1.3)
    page.close()
    took.sort()
    print(f"event → page    median {statistics.median(took):.0f} ms, slowest {took[-1]:.0f} ms of {len(took)}")


def _seen(page: Page, state: str) -> float:
    """When a label of LPAR2's sample first said so; milliseconds since 1970."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for at, label in page.evaluate("() => window.changes"):
            if state in label:
                return float(at)
        time.sleep(0.02)
    raise SystemExit(f"the page never said {state}: {page.evaluate('() => window.changes')}")


def _loads(browser: Browser) -> None:
    paints, weight = [], 0
    for _ in range(LOADS):
        context = browser.new_context()
        page = context.new_page()
        page.goto(HOME)
        page.wait_for_selector('#connection[data-state="live"]')
        time.sleep(1.5)
        paints.append(page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        weight = page.evaluate(
            "() => performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
            ".reduce((sum, each) => sum + each.transferSize, 0)"
        )
        context.close()
    print(f"first paint     median {statistics.median(paints):.0f} ms, slowest {max(paints):.0f} ms of {len(paints)}")
    print(f"weight          {weight / 1000:.0f} kB")


def _crowd(browser: Browser) -> None:
    from tests.browser.fake_console import FakeConsole
    from tests.browser.fake_document import sysplex

    fake = FakeConsole(sysplex(lpars=2, each=100)).open()
    page = browser.new_page()
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto(fake.url)
    page.wait_for_selector('#connection[data-state="live"]')
    page.evaluate(
        "() => { window.longest = 0; new PerformanceObserver((list) => { for (const each of list.getEntries())"
        " window.longest = Math.max(window.longest, each.duration) }).observe({entryTypes: ['longtask']}) }"
    )
    before = _metrics(session)
    keys = sorted(fake.document["instances"])
    begun, turns = time.monotonic(), 0
    while time.monotonic() - begun < CROWD_S:
        for key in keys[turns % 20 :: 20]:
            fake.set("instances", key, status="OUT_OF_SERVICE" if turns // 20 % 2 else "UP")
        turns += 1
        time.sleep(max(begun + turns / 10 - time.monotonic(), 0))
    after, seconds = _metrics(session), time.monotonic() - begun
    spent = {name: (after[name] - before[name]) * 1000 / seconds for name in after}
    longest = page.evaluate("() => window.longest")
    fake.end()
    print(
        f"200 instances   {turns / seconds:.0f} changes/s: script {spent['ScriptDuration']:.0f}, layout "
        f"{spent['LayoutDuration']:.0f}, style {spent['RecalcStyleDuration']:.0f} ms per second; "
        f"longest task {longest:.0f} ms (0: none above 50)"
    )


def _metrics(session: Any) -> dict[str, float]:
    wanted = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
    found = session.send("Performance.getMetrics")["metrics"]
    return {each["name"]: each["value"] for each in found if each["name"] in wanted}


if __name__ == "__main__":
    main()
