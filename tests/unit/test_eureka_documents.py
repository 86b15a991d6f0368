"""Documents, their JSON and XML, the hash, the delta, and paths."""

import itertools
import json
import xml.etree.ElementTree as ET

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from discovery.effects import Changed
from discovery.eureka import delta, document, render
from discovery.eureka.paths import segments
from discovery.registration import Registration
from discovery.registry import Registry
from tests.fakes import a_node

ONE = Registration(
    app="BASKET",
    instance="10.1.4.7:basket:8080",
    host="10.1.4.7",
    ip="10.1.4.7",
    port=8080,
    metadata={"k_1": "a<b&c", "$x": "1"},
    vip="basket",
    registered_ms=1,
    updated_ms=2,
    dirty_ms=3,
)


def as_json(root: str, body: document.Document) -> dict[str, object]:
    found: dict[str, object] = json.loads(render.render(root, body, render.JSON))
    return found


def test_an_instance_in_json_keeps_the_dialects_types() -> None:
    (instance,) = as_json("instance", document.instance(ONE)).values()
    assert isinstance(instance, dict)
    assert instance["port"] == {"$": 8080, "@enabled": "true"}
    assert instance["lastDirtyTimestamp"] == "3"
    assert instance["isCoordinatingDiscoveryServer"] == "false"
    assert instance["leaseInfo"]["durationInSecs"] == 90
    assert "homePageUrl" not in instance


def test_an_empty_map_carries_javas_class() -> None:
    bare = msgspec.structs.replace(ONE, metadata={})
    assert document.instance(bare)["metadata"] == {"@class": "java.util.Collections$EmptyMap"}


def test_an_instance_in_xml_has_what_readers_need() -> None:
    root = ET.fromstring(render.render("instance", document.instance(ONE), render.XML))
    assert root.tag == "instance"
    port = root.find("port")
    assert port is not None
    assert (port.text, port.get("enabled")) == ("8080", "true")
    center = root.find("dataCenterInfo")
    assert center is not None
    assert center.get("class", "").endswith("DefaultDataCenterInfo")
    assert root.findtext("overriddenstatus") == "UNKNOWN"
    assert root.findtext("metadata/k__1") == "a<b&c"
    assert root.findtext("metadata/_-x") == "1"


def test_xml_lists_repeat_elements_and_keep_the_version_names() -> None:
    listed = document.applications([document.instance(ONE)], 1, "UP_1_")
    root = ET.fromstring(render.render("applications", listed, render.XML))
    assert root.findtext("versions__delta") == "1"
    assert root.findtext("apps__hashcode") == "UP_1_"
    assert [each.text for each in root.findall("application/instance/hostName")] == ["10.1.4.7"]


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=4))
@example({"@": "", "$": "x", "@class": "y", "@enabled": "z", "port": "1", "1": "2"})
def test_any_metadata_makes_well_formed_xml(metadata: dict[str, str]) -> None:
    strange = msgspec.structs.replace(ONE, metadata=metadata)
    root = ET.fromstring(render.render("instance", document.instance(strange), render.XML))
    found = root.find("metadata")
    assert found is not None
    assert len(found) == len(metadata)


def test_an_empty_registry() -> None:
    empty = document.applications([], 1, "")
    assert as_json("applications", empty) == {
        "applications": {"versions__delta": "1", "apps__hashcode": "", "application": []}
    }
    assert b"<apps__hashcode></apps__hashcode>" in render.render("applications", empty, render.XML)


def test_the_hash_counts_statuses_in_the_order_of_their_names() -> None:
    assert document.hashcode(["UP", "DOWN", "UP", "OUT_OF_SERVICE"]) == "DOWN_1_OUT_OF_SERVICE_1_UP_2_"
    assert document.hashcode([]) == ""


@pytest.mark.parametrize(
    ("accept", "media"),
    [(None, render.XML), ("*/*", render.XML), ("text/html", render.XML), ("application/json", render.JSON)],
)
def test_xml_unless_json_is_asked_for(accept: str | None, media: str) -> None:
    assert render.media_type(accept) == media


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("/eureka/apps/", ["apps"]),
        ("/eureka/v2/apps/ORDERS", ["apps", "ORDERS"]),
        ("/v2/apps/delta", ["apps", "delta"]),
        ("/eureka//apps//ORDERS/a%3Ab%3A1/", ["apps", "ORDERS", "a:b:1"]),
        ("/eureka/apps/ORDERS/http:%2F%2Fa", ["apps", "ORDERS", "http://a"]),
    ],
)
def test_paths_as_clients_write_them(path: str, steps: list[str]) -> None:
    assert segments(path) == steps


class Copy:
    """A client: applies deltas to a copy of the list."""

    def __init__(self) -> None:
        self.statuses: dict[str, str] = {}

    def apply(self, documents: list[document.Document]) -> None:
        for each in documents:
            if each["actionType"] == "DELETED":
                self.statuses.pop(each["instanceId"], None)
            else:
                self.statuses[each["instanceId"]] = each["status"]


steps = st.lists(st.tuples(st.sampled_from(["register", "cancel", "override", "clear"]), st.sampled_from("abc")))


@given(steps)
def test_applying_each_delta_to_a_copy_gives_the_list_and_its_hash(history: list[tuple[str, str]]) -> None:
    registry = Registry(a_node())
    log, copy, versions = delta.DeltaLog(), Copy(), []
    for now, (step, name) in enumerate(history):
        key = f"basket/{name}"
        match step:
            case "register":
                registry.register(msgspec.structs.replace(ONE, instance=name, dirty_ms=0), float(now))
            case "cancel":
                registry.cancel(key, float(now))
            case _ if key not in registry.node.view:
                continue
            case "override":
                registry.override(key, "OUT_OF_SERVICE", 0, float(now))
            case _:
                registry.clear_override(key, float(now))
        changed = [effect for effect in registry.node.ready() if isinstance(effect, Changed)]
        for effect in changed:
            log.note(effect.changes, float(now))
        entries = log.current(float(now))
        versions.append((delta.version(entries), bool(changed)))
        copy.apply(delta.documents(entries, 0))
        assert copy.statuses == {each.instance: each.effective for each in registry.all()}
        assert document.hashcode(copy.statuses.values()) == document.hashcode(e.effective for e in registry.all())
    for (before, _), (after, changed_now) in itertools.pairwise(versions):
        assert (before != after) == changed_now


def test_deltas_are_forgotten_after_three_minutes() -> None:
    registry = Registry(a_node())
    registry.register(ONE, 0.0)
    log = delta.DeltaLog()
    for effect in registry.node.ready():
        if isinstance(effect, Changed):
            log.note(effect.changes, 0.0)
    assert len(log.current(delta.RETENTION_S)) == 1
    assert log.current(delta.RETENTION_S + 0.1) == []
