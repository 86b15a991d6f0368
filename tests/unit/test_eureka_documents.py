"""Documents, their JSON and XML, the hash, and paths."""

import json
import xml.etree.ElementTree as ET

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from discovery.eureka import document, render
from discovery.eureka.paths import parameters, segments
from discovery.registration import DEFAULT_CLASS, DataCenter, Registration

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
    assert (
        document.hashcode({"UP": 2, "DOWN": 1, "STARTING": 0, "OUT_OF_SERVICE": 1}) == "DOWN_1_OUT_OF_SERVICE_1_UP_2_"
    )
    assert document.hashcode({}) == ""


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


@pytest.mark.parametrize("media", [render.JSON, render.XML])
def test_lists_of_pieces_are_as_rendered_whole(media: str) -> None:
    two = msgspec.structs.replace(ONE, app="A&B", instance="2", metadata={})
    documents = [document.instance(two), document.instance(ONE)]
    apps = [(each["app"], [render.piece(each, media)]) for each in documents]
    whole = render.render("applications", document.applications(documents, 7, "UP_2_"), media)
    assert render.listed(apps, 7, "UP_2_", media) == whole
    assert render.listed([], 1, "", media) == render.render("applications", document.applications([], 1, ""), media)
    one = document.application("BASKET", documents[1:])
    assert render.application(*apps[1], media) == render.render("application", one, media)


def test_the_compact_form_has_no_lease_urls_or_metadata() -> None:
    amazon = DataCenter("Amazon", "com.netflix.appinfo.AmazonInfo", {"instance-id": "i-1", "ami-id": "x"})
    full = document.instance(msgspec.structs.replace(ONE, data_center=amazon, asg="group", home_page_url="http://h/"))
    short = document.compact(full)
    assert set(full) - set(short) == {
        "overriddenStatus", "countryId", "leaseInfo", "metadata", "homePageUrl", "isCoordinatingDiscoveryServer",
        "lastDirtyTimestamp",
    }  # fmt: skip
    assert short["dataCenterInfo"]["metadata"] == {"instance-id": "i-1"}
    assert document.compact(document.instance(ONE))["dataCenterInfo"] == {"@class": DEFAULT_CLASS, "name": "MyOwn"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=UP&lastDirtyTimestamp=5", {"status": "UP", "lastDirtyTimestamp": "5"}),
        ("a=1&a=2&b&=3&c=", {"a": "1", "b": "", "c": ""}),
        ("k%20y=a+b%2B%26", {"k y": "a b+&"}),
        ("", {}),
    ],
)
def test_queries_as_clients_write_them(query: str, found: dict[str, str]) -> None:
    assert parameters(query) == found
