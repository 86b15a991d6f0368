"""Static definitions at real nodes: loaded, refused, changed, withdrawn, shared by two nodes, routed by a gateway."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config import GatewayConfig
from tests.contract.eureka_peer import Answer, FakePeer, Items
from tests.fakes import RawInstance, answering, until
from tests.fakes import running as running_parts
from tests.integration.discovery_rig import PORT, DiscoveryNode, running
from tests.integration.gateway_rig import Client, on_uvloop, started
from tests.integration.launcher_rig import poll

N = os.getpid() % 250 + 1
HOST1, HOST2, HOST3 = (f"127.0.{third}.{N}" for third in (60, 61, 62))
EXAMPLE = Path(__file__).parents[2] / "examples/definitions/stockroom.yml"

ROUND_S = 0.1
NEVER_S = 3600

STOCK = "stockroom/STATIC-h.test:stockroom:9080"


def stockroom(folder: Path, **more: str) -> Path:
    """Its definition, as one change of the folder."""
    text = f"""
services:
  - serviceId: stockroom
    title: {more.get("title", "Stock room")}
    instanceBaseUrls: ['{more.get("url", "http://h.test:9080/stock")}']
    routes: [{{gatewayUrl: api/v1, serviceRelativeUrl: /api/v1}}]
    catalogUiTileId: warehouse
catalogUiTiles: {{warehouse: {{title: Warehouse, description: Parts and places}}}}
"""
    return put(folder / more.get("name", "stockroom.yml"), text)


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(text)
    return new.rename(path)


def a_node(tmp_path: Path, lpar: str = "LPAR1", host: str = HOST1, *seeds: str, **settings: object) -> DiscoveryNode:
    settings = {"static_api_definitions_directories": tmp_path / "defs", "static_s": ROUND_S, **settings}
    return DiscoveryNode(tmp_path, lpar, host, *(seeds or (host,)), **settings)


@pytest.fixture
def defs(tmp_path: Path) -> Path:
    folder = tmp_path / "defs"
    folder.mkdir()
    return folder


@pytest.fixture
def node(tmp_path: Path) -> Iterator[DiscoveryNode]:
    """Not started."""
    node = a_node(tmp_path)
    yield node
    node.kill()


def static_api(node: DiscoveryNode, method: str = "GET") -> Any:
    connection = http.client.HTTPConnection(node.host, PORT, timeout=10)
    try:
        connection.request(method, "/discovery/api/v1/staticApi")
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Content-Type")) == (200, "application/json")
        return json.loads(answer.read())
    finally:
        connection.close()


def eureka_apps(node: DiscoveryNode) -> list[dict[str, Any]]:
    """Every instance but discovery's own, as /eureka/apps lists them in JSON."""
    connection = http.client.HTTPConnection(node.host, PORT, timeout=10)
    try:
        connection.request("GET", "/eureka/apps", headers={"Accept": "application/json"})
        apps = json.loads(connection.getresponse().read())["applications"]["application"]
    finally:
        connection.close()
    return [each for app in apps if app["name"] != "DISCOVERY" for each in app["instance"]]


def held(node: DiscoveryNode, key: str = STOCK) -> dict[str, Any]:
    """An instance as that node sees it; empty when it is not there."""
    listed = node.get("/v1/instances")["instances"]
    return next((each for each in listed if f"{each['service']}/{each['instance']}" == key), {})


def title(node: DiscoveryNode) -> str | None:
    metadata: dict[str, str] = held(node).get("metadata", {})
    return metadata.get("apiml.service.title")


# --- one node


def test_eureka_servers_hear_of_static_instances(tmp_path: Path, defs: Path) -> None:
    def know_nobody(items: Items) -> Answer:
        return Answer(200, {"responseList": [{"statusCode": 404} for _ in items]})

    file = stockroom(defs)
    with FakePeer(HOST2, 8761) as server:
        server.answers = [know_nobody] * 3
        node = a_node(tmp_path, eureka_peers=server.url)
        with running(node):
            poll("it asked for what it did not know", lambda: ("Register", STOCK[10:]) in server.said("STOCKROOM"))
            said = len(server.said("STOCKROOM"))
            poll("it hears more", lambda: len(server.said("STOCKROOM")) > said)
            file.unlink()
            poll("it hears the end", lambda: server.said("STOCKROOM")[-1][0] == "Cancel")
    assert server.said("STOCKROOM")[0] == ("Heartbeat", STOCK[10:])


def test_a_definition_is_listed_and_a_bad_one_beside_it_is_named(node: DiscoveryNode, defs: Path) -> None:
    stockroom(defs)
    bad = put(defs / "bad.yml", "services:\n  - serviceId: other\n    rutes: []\n")
    part = put(
        defs / "part.yml", "services:\n- serviceId: half\n  instanceBaseUrls:\n  - http://h.test:1\n  - http://h\n"
    )
    node.started()
    poll("both good ones are listed", lambda: len(eureka_apps(node)) == 2)
    half, stock = sorted(eureka_apps(node), key=lambda each: str(each["app"]))
    assert half["instanceId"] == "STATIC-h.test:half:1"
    assert (stock["app"], stock["instanceId"]) == ("STOCKROOM", "STATIC-h.test:stockroom:9080")
    assert (stock["status"], stock["hostName"], stock["ipAddr"]) == ("UP", "h.test", "h.test")
    assert (stock["port"], stock["securePort"]) == ({"$": 9080, "@enabled": "true"}, {"$": 0, "@enabled": "false"})
    assert (stock["leaseInfo"]["renewalIntervalInSecs"], stock["leaseInfo"]["durationInSecs"]) == (30, 90)
    assert stock["metadata"] == {
        "apiml.routes.api-v1.gatewayUrl": "api/v1",
        "apiml.routes.api-v1.serviceUrl": "/stock/api/v1",
        "version": "2.2.0",
        "apiml.service.title": "Stock room",
        "apiml.catalog.tile.id": "warehouse",
        "apiml.catalog.tile.title": "Warehouse",
        "apiml.catalog.tile.description": "Parts and places",
        "apiml.catalog.tile.version": "1.0.0",
    }
    assert static_api(node) == [half, stock]
    said = [(each["file"], each["line"], each["kept"]) for each in node.events("definitions.refused")]
    assert said == [(str(bad), 3, 0), (str(part), 5, 0)]
    loaded = {each["file"]: each["instances"] for each in node.events("definitions.loaded")}
    assert loaded == {str(defs / "stockroom.yml"): [stock["instanceId"]], str(part): [half["instanceId"]]}


def test_an_order_to_reload_tells_what_is_registered_and_what_is_wrong(tmp_path: Path, defs: Path) -> None:
    missing = tmp_path / "missing"
    both = f"{defs};{missing}"
    node = a_node(tmp_path, static_api_definitions_directories=both, static_s=NEVER_S)
    with running(node):
        poll("the folders were looked at", lambda: node.events("definitions.refused"))
        put(defs / "bad.yml", "services:\n- serviceId: other\n  rutes: []\n")
        put(defs / "rule.yml", "additionalServiceMetadata: [{serviceId: billing, customMetadata: {region: west}}]")
        stockroom(defs)
        done = static_api(node, "POST")
        assert [each["messageNumber"] for each in done["errors"]] == ["ZWEAD700W", "ZWEAD702W"]
        folder, bad = done["errors"]
        assert folder["messageContent"] == f"{missing}: cannot be read: No such file or directory"
        assert bad["messageContent"].startswith(
            f"{defs}/bad.yml:3: services[0].rutes: [], an unknown property, expected"
        )
        assert (bad["messageType"], bad["messageKey"]) == (
            "WARNING",
            "org.zowe.apiml.discovery.errorParsingStaticDefinitionData",
        )
        assert done["registeredServices"] == ["STATIC-h.test:stockroom:9080"]
        assert [each["instanceId"] for each in done["instances"]] == done["registeredServices"]
        assert done["additionalServiceMetadata"] == {
            "billing": {"mode": "UPDATE", "metadata": {"version": "2.2.0", "region": "west"}}
        }
        (defs / "stockroom.yml").unlink()
        again = static_api(node, "POST")
        assert (again["instances"], again["registeredServices"], eureka_apps(node)) == ([], [], [])
        assert again["errors"] == done["errors"]
        assert len(node.events("definitions.refused")) == 2, "what is wrong is said once"
        assert [each["instances"] for each in node.events("definitions.withdrawn")] == [[STOCK]]


def test_a_file_is_changed_spoilt_mended_and_removed(node: DiscoveryNode, defs: Path) -> None:
    path = stockroom(defs)
    node.started()
    poll("it is there", lambda: title(node) == "Stock room")
    stockroom(defs, title="Larger room")
    poll("its change is seen", lambda: title(node) == "Larger room")
    put(path, "services: [")
    (refused,) = poll("it is refused", lambda: node.events("definitions.refused"))
    assert (refused["file"], refused["line"], refused["kept"]) == (str(path), 1, 1)
    after_rounds(node, defs)
    assert title(node) == "Larger room"
    assert len(node.events("definitions.refused")) == 1
    stockroom(defs, title="Mended room")
    poll("it is mended", lambda: title(node) == "Mended room")
    path.unlink()
    poll("it is gone", lambda: not held(node))


def after_rounds(node: DiscoveryNode, defs: Path, count: int = 3) -> None:
    """Wait until that node has looked at the folder so many times more: each time it finds another file."""
    for number in range(count):
        before = len(node.events("definitions.loaded"))
        stockroom(defs, name=f"z{number}.yml", title=str(os.urandom(4).hex()), url=f"http://h.test:{number + 1}")
        poll("another round", lambda before=before: len(node.events("definitions.loaded")) > before)


def test_the_default_folder_need_not_be_there_and_is_seen_when_it_is(tmp_path: Path) -> None:
    node = a_node(tmp_path, static_api_definitions_directories="")
    with running(node):
        assert static_api(node, "POST")["errors"] == []
        stockroom(tmp_path / "volume" / "api-defs")
        poll("it is found", lambda: title(node) == "Stock room")


def test_an_instance_somebody_deregisters_is_back_with_the_next_round(node: DiscoveryNode, defs: Path) -> None:
    stockroom(defs)
    node.started()
    gen = poll("it is there", lambda: held(node))["gen"]
    assert node.eureka("DELETE", "STOCKROOM/STATIC-h.test:stockroom:9080") == 200
    poll("it is there again", lambda: held(node).get("gen", 0) > gen)


def test_what_an_operator_has_put_over_it_stays(node: DiscoveryNode, defs: Path) -> None:
    stockroom(defs)
    node.started()
    poll("it is there", lambda: held(node))
    path = "STOCKROOM/STATIC-h.test:stockroom:9080"
    assert node.eureka("PUT", f"{path}/status?value=OUT_OF_SERVICE") == 200
    assert node.eureka("PUT", f"{path}/metadata?note=mine") == 200
    after_rounds(node, defs)
    assert (held(node)["status"], held(node)["metadata"]["note"]) == ("OUT_OF_SERVICE", "mine")


def test_a_definition_too_large_for_the_registry_is_named(node: DiscoveryNode, defs: Path) -> None:
    stockroom(defs)
    node.started()
    poll("it is there", lambda: held(node))
    stockroom(defs, title="x" * 9000)
    (refused,) = poll("it is refused", lambda: node.events("definitions.refused"))
    assert refused["reason"].startswith("STATIC-h.test:stockroom:9080: instance: 9")
    after_rounds(node, defs)
    assert (title(node), len(node.events("definitions.refused"))) == ("Stock room", 1)


def test_rules_apply_to_what_comes_and_to_what_is_there(node: DiscoveryNode, defs: Path) -> None:
    node.started()
    node.register("i1")
    put(
        defs / "rules.yml",
        "additionalServiceMetadata: [{serviceId: orders, customMetadata: {region: west, filler: mine}}]",
    )
    poll("the one that is there has it", lambda: held(node, "orders/i1")["metadata"].get("region") == "west")
    node.register("i2")
    assert held(node, "orders/i2")["metadata"] == held(node, "orders/i1")["metadata"]
    assert held(node, "orders/i2")["metadata"] == {"filler": "", "region": "west", "version": "2.2.0"}
    node.register("i1")
    assert held(node, "orders/i1")["metadata"]["region"] == "west"


def test_a_bad_prefix_replacer_ends_the_process_with_what_was_expected(tmp_path: Path) -> None:
    node = a_node(tmp_path, service_id_prefix_replacer="ca")
    node.start()
    assert node.process is not None
    assert node.process.wait(15) == 2
    assert "service_id_prefix_replacer: 'ca', expected an old prefix and a new one" in node.log.read_text()


def test_static_services_go_by_the_new_prefix_too(tmp_path: Path, defs: Path) -> None:
    stockroom(defs)
    node = a_node(tmp_path, service_id_prefix_replacer="stock,ware")
    with running(node):
        poll("it is there", lambda: held(node, "wareroom/STATIC-h.test:wareroom:9080"))
        (defs / "stockroom.yml").unlink()
        poll("it is gone", lambda: node.instances() == set())


# --- two nodes


@pytest.fixture
def two(tmp_path: Path, defs: Path) -> Iterator[tuple[DiscoveryNode, DiscoveryNode]]:
    """Running, with one folder."""
    stockroom(defs)
    seeds = (HOST1, HOST2)
    nodes = a_node(tmp_path, "LPAR1", HOST1, *seeds), a_node(tmp_path, "LPAR2", HOST2, *seeds)
    with running(*nodes):
        for node in nodes:
            poll(f"{node.lpar} has it", lambda node=node: held(node))
        poll("they agree", lambda: held(nodes[0]) == held(nodes[1]))
        yield nodes


def test_two_nodes_with_one_folder_list_it_once_and_its_owner_stays(
    two: tuple[DiscoveryNode, DiscoveryNode], defs: Path
) -> None:
    before = held(two[0])
    for node in two:
        after_rounds(node, defs, 5)
    assert held(two[0]) == held(two[1]) == before
    listed = [each["instanceId"] for each in eureka_apps(two[0])]
    assert len(listed) == len(set(listed)) == 6


def test_a_node_that_joins_takes_nothing_from_the_one_that_has_it(tmp_path: Path, defs: Path) -> None:
    stockroom(defs)
    one, other = (a_node(tmp_path, lpar, host, HOST1, HOST2) for lpar, host in (("LPAR1", HOST1), ("LPAR2", HOST2)))
    with running(one):
        before = poll("it is there", lambda: held(one))
        with running(other):
            poll("it has read the file", lambda: other.events("definitions.loaded"))
            after_rounds(other, defs)
            assert held(one) == held(other) == before


def test_the_other_node_takes_it_over_when_its_owner_is_killed(two: tuple[DiscoveryNode, DiscoveryNode]) -> None:
    owner = next(node for node in two if held(node)["owner"].startswith(node.lpar))
    (other,) = (node for node in two if node is not owner)
    owner.kill()

    def taken_over() -> bool:
        found = held(other)
        assert found, "it was never away"
        return bool(found["owner"].startswith(other.lpar))

    poll("the other has it", taken_over)
    assert [each["key"] for each in other.events("lease.adopted") if each["key"] == STOCK] == [STOCK]


def test_a_file_removed_from_the_shared_folder_goes_at_both_and_stays_away(
    two: tuple[DiscoveryNode, DiscoveryNode], defs: Path
) -> None:
    (defs / "stockroom.yml").unlink()
    for node in two:
        poll(f"it is gone at {node.lpar}", lambda node=node: not held(node))
        after_rounds(node, defs)
        assert not held(node)


def test_two_nodes_that_define_one_instance_differently_do_not_fight(tmp_path: Path) -> None:
    folders = tmp_path / "one", tmp_path / "other"
    for folder, text in zip(folders, ("First", "Second"), strict=True):
        stockroom(folder, title=text)
    one, other = (
        a_node(tmp_path, lpar, host, HOST1, HOST2, static_api_definitions_directories=folder)
        for lpar, host, folder in (("LPAR1", HOST1, folders[0]), ("LPAR2", HOST2, folders[1]))
    )
    with running(one):
        poll("the first has its own", lambda: title(one) == "First")
        with running(other):
            poll("the last one to speak is believed", lambda: title(one) == title(other) == "Second")
            before = held(one)
            for node, folder in zip((one, other), folders, strict=True):
                after_rounds(node, folder)
            assert held(one) == held(other) == before
            stockroom(folders[0], title="Third")
            poll("so is a change of mind", lambda: title(one) == title(other) == "Third")


# --- with a gateway


async def routed(node: DiscoveryNode, defs: Path) -> None:
    server = RawInstance(HOST3, 9100, answering(b"40 bolts"))
    put(defs / "stockroom.yml", EXAMPLE.read_text().replace("127.0.0.1:9100", f"{HOST3}:9100"))
    config = GatewayConfig(host=HOST3, port=7554, vipa="", discovery=(node.url,))
    async with running_parts(server), started(config) as gateway:
        await until(lambda: b"stockroom" in gateway.path.snapshot.upstreams, "the gateway knows it")
        async with await Client.to(HOST3, 7554) as client:
            answer = await client.get("/stockroom/api/v1/parts?kind=bolt")
            assert (answer.status, answer.body) == (200, b"40 bolts")
        assert server.heads[-1].startswith(b"GET /stock/api/v1/parts?kind=bolt HTTP/1.1\r\n")
        (defs / "stockroom.yml").unlink()
        await until(lambda: b"stockroom" not in gateway.path.snapshot.upstreams, "the gateway has forgotten it")
        async with await Client.to(HOST3, 7554) as client:
            assert (await client.get("/stockroom/api/v1/parts")).status == 404


@on_uvloop
async def test_a_static_service_is_routed_by_a_gateway(node: DiscoveryNode, defs: Path) -> None:
    await asyncio.to_thread(node.started)
    await routed(node, defs)
