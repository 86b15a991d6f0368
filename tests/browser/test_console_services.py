"""Services, instances and the API catalog in a real browser: against a console that says what a test wants, and the
catalog's documents against a real gateway."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import uvloop
from aiohttp import web
from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from gateway.config import GatewayConfig
from shared.wire import Instance
from tests.browser.fake_console import FakeConsole, line
from tests.browser.fake_document import Document, key, sysplex
from tests.fakes import FakeDiscovery, an_instance, running, until
from tests.integration.gateway_rig import started

HOST = f"127.0.111.{os.getpid() % 250 + 1}"
KEY = key("sample", "LPAR1")
ID = KEY.partition("/")[2]
STATUS = f"/console/v1/instances/{KEY}/status"
LEASE = f"/console/v1/instances/{KEY}/lease"
WAYS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((1280, "light"), (400, "dark"))
PAGES = ("services", "services/sample", f"services/{KEY}", "catalog")


@pytest.fixture
def fake() -> Iterator[FakeConsole]:
    fake = FakeConsole(sysplex(2), HOST).open()
    fake.answers["GET", LEASE] = 200, {"renewedS": 2.1, "leaseS": 15, "node": "LPAR1"}
    yield fake
    fake.end()


def look(page: Page, fake: FakeConsole, path: str) -> None:
    page.goto(f"{fake.url}/console/{path}")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))


def status(fake: FakeConsole, status: str) -> list[tuple[str, str, Any]]:
    return [each for each in fake.orders if each == ("POST", STATUS, {"status": status})]


# --- services


def test_services_change_as_it_happens(page: Page, fake: FakeConsole) -> None:
    look(page, fake, "services")
    sample = row(page, "sample")
    expect(sample.get_by_role("cell")).to_have_text(["2 up", "49/s", "0/s", "2.4 ms", "4"])
    seen = {**fake.document["instances"][KEY]["seen"]}
    seen["LPAR1"] = {**seen["LPAR1"], "view": "ejected", "perS": 20.0, "failedShare": 0.5, "inFlight": 7}
    fake.set("instances", KEY, view="ejected", seen=seen)
    expect(sample.get_by_role("cell").first).to_have_text("1 up, but ejected, 1 up")
    expect(sample.locator(".badge")).to_have_class("badge tone-bad")
    expect(sample.get_by_role("cell").nth(2)).to_have_text("10/s")
    fake.set("instances", KEY, status="OUT_OF_SERVICE")
    expect(sample.get_by_role("cell").first).to_have_text("1 out of service, 1 up")
    fake.drop("services", "payroll")
    expect(row(page, "payroll")).to_have_count(0)


def test_services_are_sought(page: Page, fake: FakeConsole) -> None:
    look(page, fake, "services")
    field = page.get_by_role("searchbox")
    field.fill("what PAY for")
    expect(page.get_by_role("rowheader")).to_have_text([re.compile("payroll")])
    expect(page.get_by_role("search")).to_contain_text("1 service of 4")
    assert page.url.endswith("?q=what%20PAY%20for")
    page.reload()
    expect(page.get_by_role("rowheader")).to_have_count(1)
    field.fill("nothing like it")
    expect(page.locator("main .empty")).to_contain_text("Nothing matches")
    fake.drop("services", *fake.document["services"])
    expect(page.locator("main .empty")).to_have_text("No service is registered yet.")


def test_one_service(page: Page, fake: FakeConsole) -> None:
    look(page, fake, "services")
    page.get_by_role("link", name="sample").click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(row(page, ID).get_by_role("cell")).to_have_text(["LPAR1", "up", "25/s", "0/s", "2.4 ms", "2"])
    main = page.locator("main")
    expect(main).to_contain_text("What sample is for.")
    expect(main.get_by_role("listitem")).to_contain_text(
        ["Instances get calls one after the other.", "A call is sent again at most once.", "org.example.sample"]
    )
    expect(main.get_by_role("link", name="Documentation")).to_have_attribute("rel", "noopener noreferrer")
    policy = {
        "sticky": "cookie",
        "slowStartS": 30,
        "rateLimit": {"capacity": 40, "tokens": 20, "per_s": 0.333},
        "visibility": "internal",
        "scheme": "zoweJwt",
        "new": [1],
    }
    fake.set("services", "sample", panic=True, faults=["plexmesh.retries: expected a whole number"], policy=policy)
    expect(main.locator(".note")).to_contain_text(
        ["ejections are ignored", "plexmesh.retries: expected a whole number"]
    )
    for said in (
        "known by his cookie", "its whole share after 30 s", "20 calls a minute, 40 at once", "new: [1]",
        "only for callers who show a certificate", "the token of who is logged in",
    ):  # fmt: skip
        expect(main).to_contain_text(said)
    fake.drop("instances", KEY)
    expect(row(page, ID)).to_have_count(0)


# --- one instance


def test_what_each_gateway_sees_side_by_side_and_what_happened(page: Page, fake: FakeConsole) -> None:
    look(page, fake, f"services/{KEY}")
    expect(row(page, "LPAR2's gateway").get_by_role("cell")).to_have_text(
        ["fine", "1 min", "12/s", "1", "0 %", "2.4 ms", "1200", "0", "0"]
    )
    expect(row(page, "zos.lpar").get_by_role("cell")).to_have_text("LPAR1")
    seen = {**fake.document["instances"][KEY]["seen"]}
    seen["LPAR2"] = {**seen["LPAR2"], "view": "out", "why": "connection refused", "perS": 0.0, "ejections": 3}
    fake.set("instances", KEY, view="out", seen=seen)
    fake.news(line("out", kind="health", tone="bad", instance=KEY), line("another's", instance="sample/other"))
    expect(row(page, "LPAR2's gateway").get_by_role("cell").first).to_have_text("outconnection refused")
    expect(row(page, "LPAR2's gateway").get_by_role("cell").last).to_have_text("3")
    expect(row(page, "LPAR1's gateway").get_by_role("cell").first).to_have_text("fine")
    expect(page.locator(".history li")).to_have_text([re.compile("out$")])
    picture = page.get_by_role("img", name="Latency")
    expect(picture).to_have_attribute("aria-label", re.compile(r"now 2\.4 ms, least 2\.4 ms, most 2\.4 ms"))
    fake.drop("instances", KEY)
    expect(page.locator("main .note").first).to_contain_text("It is not registered now.")
    expect(page.get_by_role("button", name="Drain")).to_be_disabled()


def test_the_lease_grows_older_between_questions(page: Page, fake: FakeConsole) -> None:
    look(page, fake, f"services/{KEY}")
    lease = page.locator("dd").nth(3)
    expect(lease).to_have_text("renewed 2 s ago, of 15 s, held by LPAR1's discovery")
    expect(lease).to_have_text(re.compile("renewed 3 s ago"))
    fake.set("instances", KEY, owner="dead")
    expect(lease).to_have_text(re.compile(r"held by LPAR1's discovery \(dead\)"))


def test_it_is_drained_and_comes_back(page: Page, fake: FakeConsole) -> None:
    """By keyboard: a question, an order, calls counted down to none, another order."""
    look(page, fake, f"services/{KEY}")
    drain, told = page.get_by_role("button", name="Drain"), page.locator("main .actions + p")
    drain.press("Enter")
    dialog = page.get_by_role("dialog", name=f"Take {ID} out of service?")
    expect(dialog).to_contain_text("1 other instance of sample takes its calls.")
    page.keyboard.press("Escape")
    expect(drain).to_be_focused()
    assert status(fake, "OUT_OF_SERVICE") == []
    drain.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(told).to_contain_text("Waiting until every gateway knows")
    assert len(status(fake, "OUT_OF_SERVICE")) == 1
    fake.set("instances", KEY, status="OUT_OF_SERVICE")
    expect(told).to_have_text("Draining: 2 calls are under way.")
    seen = {
        lpar: {**each, "inFlight": lpar == "LPAR1"} for lpar, each in fake.document["instances"][KEY]["seen"].items()
    }
    fake.set("instances", KEY, seen=seen)
    expect(told).to_have_text("Draining: 1 call is under way.")
    fake.set("instances", KEY, seen={lpar: {**each, "inFlight": 0} for lpar, each in seen.items()})
    expect(told).to_have_text("Drained: no call is under way. It can be stopped.")
    fake.answers["POST", STATUS] = 503, {"detail": "no discovery node takes the order"}
    page.get_by_role("button", name="Back in service").click()
    expect(told).to_have_text("Not done: no discovery node takes the order")
    del fake.answers["POST", STATUS]
    page.get_by_role("button", name="Back in service").click()
    expect(told).to_have_text("It is back in service.")
    assert len(status(fake, "UP")) == 2


def test_the_only_one_is_not_taken_out_lightly(page: Page, fake: FakeConsole) -> None:
    fake.drop("instances", key("sample", "LPAR2"))
    look(page, fake, f"services/{KEY}")
    page.get_by_role("button", name="Out of service").click()
    expect(page.get_by_role("dialog")).to_contain_text("calls will be answered 503")


@pytest.mark.parametrize("allowed", [True, False])
def test_a_call_of_it_is_copied(page: Page, fake: FakeConsole, allowed: bool) -> None:
    if allowed:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    else:
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    look(page, fake, f"services/{KEY}")
    call = f"curl -i -H 'X-InstanceId: {ID}' '{fake.url}/sample/api/v1/'"
    expect(page.get_by_label("A call of this instance")).to_have_value(call)
    page.get_by_role("button", name="Copy the call").click()
    if allowed:
        expect(page.get_by_text("Copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == call
    else:
        expect(page.get_by_text("Selected: press Ctrl+C.")).to_be_visible()
        assert page.evaluate("getSelection().toString()") == call


# --- catalog


def test_the_catalog_is_ordered_by_tiles_and_sought(page: Page, fake: FakeConsole) -> None:
    fake.set("services", "payroll", tile=None, apis=[])
    fake.set("services", "gateway", tile={"id": "aa", "title": "A part of the mesh", "description": ""})
    fake.set(
        "services", "discovery", **{**fake.document["services"]["sample"], "service": "discovery", "routed": False}
    )
    look(page, fake, "catalog")
    expect(page.get_by_role("heading", level=2)).to_have_text(["A part of the mesh", "Applications", "On no tile"])
    expect(page.get_by_role("search")).to_contain_text("3 APIs of 4 services")
    card = page.locator(".card").filter(has=page.get_by_role("link", name="sample", exact=True))
    for said in ("The sample service", "2 up", "org.example.sample", "1.0.0", "/sample/api/v1"):
        expect(card).to_contain_text(said)
    expect(page.locator(".card", has_text="payroll")).to_contain_text("/payroll/api/v1 not described")
    page.get_by_role("searchbox").fill("org.example.sample")
    expect(page.locator(".card")).to_have_count(1)
    page.get_by_role("searchbox").fill("/payroll/api")
    expect(page.locator(".card h3")).to_have_text(["payroll"])
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.locator("main .empty")).to_contain_text("Nothing matches")


# --- all of them

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


def hostile() -> Document:
    document = sysplex(2)
    service, instance = document["services"].pop("sample"), document["instances"].pop(KEY)
    api = {**service["apis"][0], "apiId": HOSTILE, "version": HOSTILE, "basePath": HOSTILE, "title": HOSTILE}
    apis = [
        {**api, "documentationUrl": url}
        for url in ("javascript:alert(1)", "data:text/html,x", " javascript:alert(1)", HOSTILE)
    ]
    words = dict.fromkeys(("title", "description", "homePageUrl"), HOSTILE)
    routes = [{"gatewayUrl": HOSTILE, "serviceUrl": HOSTILE}]
    tile = {"id": HOSTILE, "title": HOSTILE, "description": HOSTILE}
    more = {
        "apis": apis,
        "routes": routes,
        "tile": tile,
        "faults": [HOSTILE],
        "policy": {"picker": HOSTILE, HOSTILE: HOSTILE},
    }
    document["services"][HOSTILE] = {**service, **words, **more, "service": HOSTILE}
    seen = {HOSTILE: {**instance["seen"]["LPAR1"], "view": HOSTILE, "why": HOSTILE}}
    facts = {
        "service": HOSTILE,
        "instance": HOSTILE,
        "key": f"{HOSTILE}/{HOSTILE}",
        "lpar": HOSTILE,
        "url": "javascript:alert(1)",
    }
    document["instances"][facts["key"]] = {
        **instance,
        **facts,
        "why": HOSTILE,
        "metadata": {HOSTILE: HOSTILE},
        "seen": seen,
    }
    return document


def test_hostile_words_are_text(page: Page) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    fake = FakeConsole(hostile(), HOST).open()
    try:
        look(page, fake, "catalog")
        expect(page.locator("main")).to_contain_text("javascript:alert(1)")
        harmless(page)
        look(page, fake, "services")
        page.get_by_role("link", name=HOSTILE).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
        harmless(page)
        page.locator("tbody th").get_by_role("link").first.click()
        expect(page.get_by_role("rowheader", name=f"{HOSTILE}'s gateway")).to_be_visible()
        expect(page.get_by_label("A call of this instance")).to_have_value(
            re.compile(r"^curl -i -H 'X-InstanceId: \"><img")
        )
        harmless(page)
    finally:
        fake.end()
    assert dialogs == []


def harmless(page: Page) -> None:
    assert page.locator("main img, main script, main iframe").count() == 0
    links = page.locator("main a").evaluate_all("links => links.map(link => link.protocol)")
    assert set(links) <= {"http:", "https:", ":"}


def test_everybody_can_read_them(page: Page, fake: FakeConsole) -> None:
    """Light on a wide screen, dark on a telephone."""
    fake.set("instances", key("sample", "LPAR2"), view="ejected", why="5 of 5 calls failed")
    fake.set("services", "sample", faults=["plexmesh.retries: expected a whole number"], panic=True)
    fake.news(line("It is left out", kind="health", tone="bad", instance=KEY))
    for path in PAGES:
        look(page, fake, path)
        expect(page.locator("main")).to_contain_text("sample")
        for width, scheme in WAYS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            assert found.violations_count == 0, f"{path} {width}: {found.generate_snapshot()}"
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


# --- documents, by a real gateway

EVIL = "/{a}/{b}/{c}/console/v1/instances/orders/i1/status"


def document() -> dict[str, Any]:
    def parameter(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, **more}

    up = [parameter(name, example="..") for name in "abc"]
    hello = {
        "parameters": [parameter("name")],
        "responses": {"200": {"description": "<a href='javascript:alert(1)'>x</a>"}},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Orders",
            "version": "1",
            "description": "[x](javascript:alert(1)) <script>alert(1)</script>",
        },
        "servers": [{"url": "https://elsewhere.example.test"}],
        "paths": {
            "/hello/{name}": {"get": hello},
            EVIL: {"post": {"parameters": up, "responses": {"200": {"description": "done"}}}},
        },
    }


class Place:
    """A gateway, a fake discovery node and an instance of `orders`, in a thread of their own."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._ready, self._over = threading.Event(), asyncio.Event()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Place:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        app = web.Application()
        app.add_routes([web.get("/openapi.json", self._document), web.get("/hello/{name}", self._hello)])
        instances = web.AppRunner(app, shutdown_timeout=0)
        await instances.setup()
        await web.TCPSite(instances, HOST, 9000).start()
        discovery = FakeDiscovery(HOST)
        config = GatewayConfig(host=HOST, vipa="", discovery=(discovery.url,), access_log="off", probe_rounds=False)
        async with running(discovery):
            discovery.put(orders())
            async with started(config) as gateway:
                await until(lambda: not gateway.why_not_ready(), "the gateway is ready")
                self._ready.set()
                await self._over.wait()
        await instances.cleanup()

    async def _document(self, _: web.Request) -> web.Response:
        return web.json_response(document())

    async def _hello(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.json_response({"hello": request.match_info["name"]})


def orders() -> Instance:
    api = {
        "apiId": "test.orders",
        "version": "1.0.0",
        "gatewayUrl": "api/v1",
        "swaggerUrl": f"http://{HOST}:9000/openapi.json",
    }
    metadata = {f"apiml.apiInfo.0.{name}": value for name, value in api.items()}
    return an_instance("orders", 9000, HOST, id="i1", routes={"api/v1": "/"}, metadata=metadata)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with Place() as place:
        yield place


def serious(found: AxeResults) -> list[str]:
    """What is Swagger UI's own may have lesser faults."""
    return [each["id"] for each in found.response["violations"] if each["impact"] in ("serious", "critical")]


def operation(page: Page, path: str) -> Locator:
    found = page.locator(".opblock").filter(has=page.locator(f'[data-path="{path}"]'))
    found.locator(".opblock-summary-control").click()
    found.get_by_role("button", name="Try it out").click()
    return found


@pytest.fixture
def documented(page: Page, place: Place) -> Page:
    page.goto(f"http://{HOST}:7554/console/catalog")
    page.get_by_role("link", name="Try test.orders 1.0.0").click()
    expect(page.locator(".opblock")).to_have_count(2)
    return page


def test_what_is_tried_goes_through_the_gateway(documented: Page, place: Place) -> None:
    expect(documented.locator("main")).to_contain_text("is called at /orders/api/v1, through this gateway")
    tried = operation(documented, "/hello/{name}")
    for width, scheme in WAYS:
        documented.set_viewport_size({"width": width, "height": 900})
        documented.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert serious(Axe().run(documented)) == []
    tried.get_by_placeholder("name").fill("ada")
    with documented.expect_response(f"http://{HOST}:7554/orders/api/v1/hello/ada") as answer:
        tried.get_by_role("button", name="Execute").click()
    assert answer.value.headers["x-plexmesh-path"].startswith("LPAR1/gateway > LPAR1/orders:9000")
    expect(tried.locator(".live-responses-table .response").first).to_contain_text('"hello": "ada"')
    assert place.asked == ["/hello/ada"]
    harmless(documented)


def test_a_document_cannot_make_its_reader_give_an_order(documented: Page) -> None:
    asked: list[str] = []
    documented.on("request", lambda request: asked.append(request.method) if request.method == "POST" else None)
    tried = operation(documented, EVIL)
    tried.get_by_role("button", name="Execute").click()
    expect(tried.locator(".live-responses-table").first).to_contain_text("is not below /orders/: it is not called")
    assert asked == []


def test_a_document_that_cannot_be_had_is_told(page: Page, fake: FakeConsole) -> None:
    path = "/console/v1/apidoc/sample/0"
    fake.answers["GET", path] = 503, {"detail": "sample: its document cannot be reached: Connection refused"}
    look(page, fake, "catalog/sample/0")
    expect(page.locator("main .note")).to_have_text("sample: its document cannot be reached: Connection refused")
    fake.answers["GET", path] = 200, {**document(), "x-plexmesh-left-out": ["/health"]}
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("main .note")).to_have_text("No route leads to /health: left out here.")
    expect(page.locator(".opblock")).to_have_count(2)
