"""A file of static definitions: the instances it stands for, and each refusal with its line and exact words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from discovery.registration import Registration
from discovery.zowe import shapes, tree
from discovery.zowe.additional import Rule
from discovery.zowe.collection import collect
from discovery.zowe.definitions import Definitions, read
from discovery.zowe.refusal import Refusal

EXAMPLE = Path(__file__).parents[2] / "examples/definitions/stockroom.yml"

WHOLE = """
services:
  - serviceId: stockroom
    title: Stock room
    description: Keeps count of parts
    catalogUiTileId: warehouse
    instanceBaseUrls:
      - https://lpar1.example.test:9443/stock
      - http://lpar2.example.test:9080
    homePageRelativeUrl: /home
    statusPageRelativeUrl: /status
    healthCheckRelativeUrl: /health
    routes:
      - gatewayUrl: api/v1
        serviceRelativeUrl: /api/v1
    routedServices:
      - gatewayUrl: /ws/v1.1/
        serviceRelativeUrl: ws
      - gatewayUrl: ui/v1
    apiInfo:
      - apiId: test.stockroom
        gatewayUrl: api/v1
        version: 1.10
        swaggerUrl: https://lpar1.example.test:9443/stock/docs
        documentationUrl: https://docs.example.test/stock
        graphqlUrl: https://lpar1.example.test:9443/stock/graphql
        defaultApi: true
        codeSnippet:
          - endpoint: /parts
            codeBlock: |
              get()
            language: java
      - apiId: test.stockroom.more
        defaultApi: false
    authentication: {scheme: httpBasicPassTicket, applid: STOCKAPL, headers: X-Certificate-Public}
    customMetadata:
      apiml: {lb: {type: authentication}, corsEnabled: TRUE}
      plain: ~
catalogUiTiles:
  warehouse: {title: Warehouse, description: Parts and places, id: other, version: 9.9.9}
additionalServiceMetadata:
  - serviceId: billing
    mode: FORCE_UPDATE
    title: Billing
    routes: [{gatewayUrl: api/v1, serviceRelativeUrl: /bills}, {gatewayUrl: ui/v1}]
    customMetadata: {region: west}
  - serviceId: orders
    catalogUiTileId: warehouse
"""

OF_SERVICE = (
    "serviceId, title, description, catalogUiTileId, instanceBaseUrls, homePageRelativeUrl, statusPageRelativeUrl, "
    "healthCheckRelativeUrl, routes, routedServices, apiInfo, authentication, customMetadata"
)
OF_FILE = "services, catalogUiTiles, additionalServiceMetadata"
OF_ID = "1 to 63 lower-case letters, digits and dashes, with no dash at its ends"
OF_URL = "http:// or https://, a host, a port and a path, such as https://lpar1.example.test:9443/stock"


def definitions(text: str) -> Definitions:
    return read(text.encode(), "f.yml")


def refusal(text: str | bytes) -> str:
    """Why all of it is refused."""
    with pytest.raises(Refusal) as refused:
        read(text.encode() if isinstance(text, str) else text, "f.yml")
    return str(refused.value)


def service(more: str) -> str:
    """A file with one service that can be used but for what is in these lines, the first of which is line 4."""
    lines = "".join(f"    {line}\n" for line in more.splitlines())
    return f"services:\n  - serviceId: stockroom\n    title: Stock room\n{lines}"


# --- what a file stands for


def test_a_whole_file() -> None:
    found = definitions(WHOLE)
    secure, plain = (each.registration for each in found.instances)
    common = {
        "apiml.routes.api-v1.gatewayUrl": "api/v1",
        "apiml.routes.ws-v1-1.gatewayUrl": "ws/v1.1",
        "apiml.routes.ui-v1.gatewayUrl": "ui/v1",
        "version": "2.2.0",
        "apiml.service.title": "Stock room",
        "apiml.service.description": "Keeps count of parts",
        "apiml.catalog.tile.id": "warehouse",
        "apiml.catalog.tile.title": "Warehouse",
        "apiml.catalog.tile.description": "Parts and places",
        "apiml.catalog.tile.version": "1.0.0",
        "apiml.apiInfo.0.apiId": "test.stockroom",
        "apiml.apiInfo.0.gatewayUrl": "api/v1",
        "apiml.apiInfo.0.version": "1.10",
        "apiml.apiInfo.0.swaggerUrl": "https://lpar1.example.test:9443/stock/docs",
        "apiml.apiInfo.0.documentationUrl": "https://docs.example.test/stock",
        "apiml.apiInfo.0.graphqlUrl": "https://lpar1.example.test:9443/stock/graphql",
        "apiml.apiInfo.0.defaultApi": "true",
        "apiml.apiInfo.0.codeSnippet.0.endpoint": "/parts",
        "apiml.apiInfo.0.codeSnippet.0.codeBlock": "get()\n",
        "apiml.apiInfo.0.codeSnippet.0.language": "java",
        "apiml.apiInfo.1.apiId": "test.stockroom.more",
        "apiml.apiInfo.1.defaultApi": "false",
        "apiml.authentication.scheme": "httpBasicPassTicket",
        "apiml.authentication.applid": "STOCKAPL",
        "apiml.lb.type": "authentication",
        "apiml.corsEnabled": "true",
        "plain": "",
    }
    assert secure == Registration(
        app="STOCKROOM",
        instance="STATIC-lpar1.example.test:stockroom:9443",
        host="lpar1.example.test",
        ip="lpar1.example.test",
        port=9443,
        port_enabled=False,
        secure_port=9443,
        secure_port_enabled=True,
        renew_s=30,
        lease_s=90,
        home_page_url="https://lpar1.example.test:9443/stock/home",
        status_page_url="https://lpar1.example.test:9443/stock/status",
        secure_health_check_url="https://lpar1.example.test:9443/stock/health",
        vip="stockroom",
        secure_vip="stockroom",
        metadata={
            **common,
            "apiml.routes.api-v1.serviceUrl": "/stock/api/v1",
            "apiml.routes.ws-v1-1.serviceUrl": "/stock/ws",
            "apiml.routes.ui-v1.serviceUrl": "/stock",
        },
    )
    assert plain == msgspec.structs.replace(
        secure,
        instance="STATIC-lpar2.example.test:stockroom:9080",
        host="lpar2.example.test",
        ip="lpar2.example.test",
        port=9080,
        port_enabled=True,
        secure_port=0,
        secure_port_enabled=False,
        home_page_url="http://lpar2.example.test:9080/home",
        status_page_url="http://lpar2.example.test:9080/status",
        health_check_url="http://lpar2.example.test:9080/health",
        secure_health_check_url="",
        metadata={
            **common,
            "apiml.routes.api-v1.serviceUrl": "/api/v1",
            "apiml.routes.ws-v1-1.serviceUrl": "/ws",
            "apiml.routes.ui-v1.serviceUrl": "/",
        },
    )
    assert [each.line for each in found.instances] == [8, 9]
    assert found.tiles["warehouse"].title == "Warehouse"
    assert found.refusals == ()


def test_additional_metadata_says_only_what_is_said() -> None:
    billing, orders = definitions(WHOLE).additions
    assert billing.rule == Rule(
        "billing",
        "FORCE_UPDATE",
        {
            "version": "2.2.0",
            "apiml.service.title": "Billing",
            "apiml.routes.api-v1.gatewayUrl": "api/v1",
            "apiml.routes.api-v1.serviceUrl": "/bills",
            "apiml.routes.ui-v1.gatewayUrl": "ui/v1",
            "region": "west",
        },
    )
    assert (orders.rule.mode, orders.rule.metadata["apiml.catalog.tile.title"]) == ("UPDATE", "Warehouse")
    assert (billing.line, orders.line) == (42, 47)


def test_the_least_a_service_needs() -> None:
    (static,) = definitions(service("instanceBaseUrls: [http://h.test:1]")).instances
    assert static.registration.metadata == {"version": "2.2.0", "apiml.service.title": "Stock room"}
    assert static.registration.home_page_url == "http://h.test:1"
    assert (static.registration.status_page_url, static.registration.health_check_url) == ("", "")


def test_an_address_of_ipv6_is_without_its_brackets() -> None:
    (static,) = definitions(
        service("instanceBaseUrls: ['http://[::1]:8080/a/']\nroutes: [{gatewayUrl: api}]")
    ).instances
    assert (static.registration.host, static.registration.instance) == ("::1", "STATIC-[::1]:stockroom:8080")
    assert static.registration.metadata["apiml.routes.api.serviceUrl"] == "/a/"


def test_aliases_stand_for_what_they_name() -> None:
    urls = "instanceBaseUrls: &urls [http://h.test:1]\ncustomMetadata: {a: &a {b: c}, d: *a}"
    (static,) = definitions(service(urls)).instances
    assert static.registration.metadata["d.b"] == "c"


def test_the_example_is_sound() -> None:
    found = read(EXAMPLE.read_bytes(), str(EXAMPLE))
    assert [each.registration.key for each in found.instances] == ["stockroom/STATIC-127.0.0.1:stockroom:9100"]
    assert [each.rule.service for each in found.additions] == ["orders"]
    assert found.refusals == ()


# --- refusals of a whole file


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", f"1: nothing is in it, expected one of {OF_FILE}"),
        ("# only words\n", f"1: nothing is in it, expected one of {OF_FILE}"),
        ("servces: []", f"1: servces: [], an unknown property, expected one of {OF_FILE} (did you mean 'services'?)"),
        (
            service("instanceBaseUrls: [http://h.test:1]\nrutes: 5"),
            f"5: services[0].rutes: \"5\", an unknown property, expected one of {OF_SERVICE} (did you mean 'routes'?)",
        ),
        (
            service("routes:\n  - gatewayUrl: api\n    serviceUrl: /"),
            '6: services[0].routes[0].serviceUrl: "/", an unknown property, '
            "expected one of gatewayUrl, serviceRelativeUrl (did you mean 'serviceRelativeUrl'?)",
        ),
        (
            "catalogUiTiles:\n  w:\n    titel: W",
            '3: catalogUiTiles.w.titel: "W", an unknown property, '
            "expected one of title, description, id, version (did you mean 'title'?)",
        ),
        (
            "additionalServiceMetadata:\n- serviceId: a\n  mod: UPDATE",
            f'3: additionalServiceMetadata[0].mod: "UPDATE", an unknown property, expected one of {OF_SERVICE}, mode'
            " (did you mean 'mode'?)",
        ),
        (
            "services: []\n'x` - at `$.services': 3",
            f"2: x` - at `$.services: \"3\", an unknown property, expected one of {OF_FILE} (did you mean 'services'?)",
        ),
        (
            "services: [{}]\n'x` - at `$.services[0]': 3",
            f'2: x` - at `$.services[0]: "3", an unknown property, expected one of {OF_FILE}'
            " (did you mean 'services'?)",
        ),
        (service("routes:\n  - {}"), "5: services[0].routes[0].gatewayUrl: missing, expected a path such as api/v1"),
        ("- a", '1: file: ["a"], expected keys and values'),
        ("services: stockroom", '1: services: "stockroom", expected a list'),
        ("services:\n- serviceId: a\n- stockroom", '3: services[1]: "stockroom", expected keys and values'),
        ("services:\n-", "2: services[0]: null, expected keys and values"),
        ("services:\n- title: {a: b}", '2: services[0].title: {"a":"b"}, expected a text'),
        ("services:\n- instanceBaseUrls: x", '2: services[0].instanceBaseUrls: "x", expected a list'),
        ("services:\n- instanceBaseUrls: [a, [b]]", '2: services[0].instanceBaseUrls[1]: ["b"], expected a text'),
        ("services:\n- customMetadata: x", '2: services[0].customMetadata: "x", expected keys and values'),
        (
            "services:\n- apiInfo:\n  - defaultApi: perhaps",
            '3: services[0].apiInfo[0].defaultApi: "perhaps", expected true or false',
        ),
        (
            "services:\n- authentication:\n    scheme: none",
            '3: services[0].authentication.scheme: "none", '
            "expected one of bypass, zoweJwt, httpBasicPassTicket, zosmf, x509, safIdt",
        ),
        (
            "additionalServiceMetadata:\n- serviceId: a\n  mode: REPLACE",
            '3: additionalServiceMetadata[0].mode: "REPLACE", expected one of UPDATE, FORCE_UPDATE',
        ),
        ("catalogUiTiles:\n  w: x", '2: catalogUiTiles.w: "x", expected keys and values'),
        ("services:\n- a\n- b: [", "3: not YAML: did not find expected node content"),
        ("services:\n  a: b\n c: d", "3: not YAML: did not find expected key"),
        ("services: []\n\x01", "2: not YAML: control characters are not allowed"),
        (b"services: []\n# caf\xe9", "2: not UTF-8 text"),
        ("services: []\n---\nservices: []", "2: a second document, expected one"),
        ("services: []\nservices: []", "2: services: is there already, in line 1; expected once"),
        ("services:\n- title: a\n  title: b", "3: services[0].title: is there already, in line 2; expected once"),
        ("? [services]\n: a", "1: file: a key is a collection, expected a text"),
        ("services: *a", "1: *a: stands for nothing, or for what it is in; expected &a before it"),
        ("services: &a\n- *a", "2: *a: stands for nothing, or for what it is in; expected &a before it"),
        ("[" * 100_000, "1: nested too deeply, expected at most 20 levels"),
        ("- " * 100_000, "1: nested too deeply, expected at most 20 levels"),
        ("{a: " * 10_000, "1: nested too deeply, expected at most 20 levels"),
        (b"#" * 300_000, "1: more than 262144 bytes, expected at most that"),
    ],
)
def test_a_whole_file_is_refused_by_line_and_property(text: str | bytes, says: str) -> None:
    assert refusal(text) == f"f.yml:{says}"


def test_a_long_value_is_shortened() -> None:
    said = refusal(f"services: {'x' * 500}")
    assert said == f'f.yml:1: services: "{"x" * 79}… (502 characters), expected a list'


def test_aliases_of_aliases_are_refused_before_they_grow() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    assert refusal(f"l0: &l0 [{'x' * 100}]\n{levels}") == (
        "f.yml:5: too large with all its aliases, expected less repetition"
    )


def test_aliases_do_not_nest_deeper_than_anything_else() -> None:
    levels = "".join(f"l{n}: &l{n} [[[[[*l{n - 1}]]]]]\n" for n in range(1, 9))
    assert refusal(f"l0: &l0 []\n{levels}") == "f.yml:5: nested too deeply, expected at most 20 levels"


# --- refusals of a part


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://h.test/stock", "has no port"),
        ("https://h.test:/stock", "has no port"),
        ("https://:9443/stock", "has no host"),
        ("https:///stock", "has no host"),
        ("ftp://h.test:21/", "is neither http nor https"),
        ("h.test:9443", "is neither http nor https"),
        ("", "is neither http nor https"),
        ("https://h.test:0/", "has a port that is none"),
        ("https://h.test:65536/", "has a port that is none"),
        ("https://h.test:http/", "has a port that is none"),
        ("https://[::1/:1", "is no URL"),
        ("https://h_é.test:1", "has a host that is none"),
        ("https://me@h.test:1/", "has a host that is none"),
        ("https://h.test:1/a?b=c", "has more than that, or a path that nobody can ask for"),
        ("https://h.test:1/#a", "has more than that, or a path that nobody can ask for"),
        ("https://h.test:1/a b", "has more than that, or a path that nobody can ask for"),
        ("https://h.test:1/a\\n", "has more than that, or a path that nobody can ask for"),
    ],
)
def test_a_bad_base_url_costs_its_instance_alone(url: str, says: str) -> None:
    found = definitions(service(f'instanceBaseUrls:\n  - http://good.test:1\n  - "{url}"\n  - http://good.test:2'))
    assert [each.registration.port for each in found.instances] == [1, 2]
    shown = msgspec.json.encode(yaml.safe_load(f'"{url}"')).decode()
    (refused,) = found.refusals
    assert str(refused) == f"f.yml:6: services[0].instanceBaseUrls[1]: {shown} {says}, expected {OF_URL}"
    assert (refused.file, refused.line) == ("f.yml", 6)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("", "2: services[0].instanceBaseUrls: missing, expected a list of one URL or more"),
        ("instanceBaseUrls: []", "4: services[0].instanceBaseUrls: [], expected a list of one URL or more"),
        ("instanceBaseUrls: ~", "4: services[0].instanceBaseUrls: null, expected a list of one URL or more"),
        (
            "instanceBaseUrls: [~]",
            f"4: services[0].instanceBaseUrls[0]: null is neither http nor https, expected {OF_URL}",
        ),
        (
            "instanceBaseUrls: [http://h.test:1]\ncustomMetadata:\n  a:\n    b: [c]",
            '7: services[0].customMetadata.a.b: ["c"], expected a text, or keys and values',
        ),
        (
            "instanceBaseUrls: [http://h.test:1]\nroutes:\n  - gatewayUrl: /",
            '6: services[0].routes[0].gatewayUrl: "/", expected a path such as api/v1',
        ),
        (
            "instanceBaseUrls: [http://h.test:1]\nroutedServices:\n  - gatewayUrl: api v1",
            '6: services[0].routedServices[0].gatewayUrl: "api v1", expected a path such as api/v1',
        ),
        (
            "instanceBaseUrls: [http://h.test:1]\nroutes:\n  - gatewayUrl: api/v1\n    serviceRelativeUrl: /a?b",
            '7: services[0].routes[0].serviceRelativeUrl: "/a?b", expected a path such as /api/v1',
        ),
    ],
)
def test_what_is_wrong_with_a_service_costs_that_service_alone(more: str, says: str) -> None:
    found = definitions(service(more) + "  - serviceId: other\n    instanceBaseUrls: [http://h.test:2]\n")
    assert [each.registration.service for each in found.instances] == ["other"]
    assert [str(each) for each in found.refusals] == [f"f.yml:{says}"]


@pytest.mark.parametrize("id", ["Stock", "stock_room", "-stock", "stock-", "a.b", "x" * 64, "''"])
def test_a_bad_service_id_is_refused(id: str) -> None:
    found = definitions(f"services:\n- title: a\n  serviceId: {id}\n  instanceBaseUrls: [http://h.test:1]")
    shown = id.strip("'")
    assert [str(each) for each in found.refusals] == [f'f.yml:3: services[0].serviceId: "{shown}", expected {OF_ID}']
    assert found.instances == ()


def test_a_missing_service_id_is_refused_where_the_service_begins() -> None:
    found = definitions("services: []\nadditionalServiceMetadata:\n- title: a")
    assert [str(each) for each in found.refusals] == [
        f"f.yml:3: additionalServiceMetadata[0].serviceId: missing, expected {OF_ID}"
    ]
    assert found.additions == ()


def test_a_service_whose_tile_is_not_there_is_there_without_it() -> None:
    text = service("instanceBaseUrls: [http://h.test:1]\ncatalogUiTileId: warehous")
    found = definitions(text + "catalogUiTiles: {warehouse: {title: W}}")
    assert [str(each) for each in found.refusals] == [
        "f.yml:5: services[0].catalogUiTileId: \"warehous\", expected a tile of this file (did you mean 'warehouse'?)"
    ]
    (static,) = found.instances
    assert not any(key.startswith("apiml.catalog") for key in static.registration.metadata)


# --- all files together


def test_of_an_instance_the_first_definition_holds() -> None:
    first = definitions(service("instanceBaseUrls: [http://h.test:1, http://h.test:1]"))
    second = read(service("description: other\ninstanceBaseUrls: [http://h.test:1]").encode(), "g.yml")
    found = collect([("f.yml", first), ("g.yml", second)])
    (held,) = found.instances.values()
    assert "apiml.service.description" not in held.metadata
    assert found.sources == {"stockroom/STATIC-h.test:stockroom:1": ("f.yml", 4)}
    says = "'STATIC-h.test:stockroom:1' is there already, at f.yml:4, expected once; the first one holds"
    assert [str(each) for each in found.refusals] == [f"f.yml:4: {says}", f"g.yml:5: {says}"]


def test_of_a_rule_the_last_one_holds() -> None:
    one, other = (definitions(f"additionalServiceMetadata:\n- serviceId: a\n  title: {title}") for title in "xy")
    found = collect([("f.yml", one), ("g.yml", other)])
    assert found.rules["a"].metadata["apiml.service.title"] == "y"
    assert [str(each) for each in found.refusals] == [
        "g.yml:2: 'a' is there already, at f.yml:2, expected once; the last one holds"
    ]


def test_refusals_of_parts_are_handed_on() -> None:
    bad = definitions(service(""))
    assert collect([("f.yml", bad)]).refusals == bad.refusals != ()


# --- whatever there is in a file


NAMES = sorted(
    {name for shape in (shapes.File, shapes.Tile, *shapes.BELOW.values()) for name in shape.__struct_encode_fields__}
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(
    ["stockroom", "http://h.test:1", "api/v1", "UPDATE", "bypass", *NAMES]
)  # fmt: skip
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


def shaped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A file most of which is right: a service with some of its properties, of any value."""
    a_service = st.dictionaries(st.sampled_from(shapes.Additional.__struct_encode_fields__), inner, max_size=6)
    good = a_service.map(lambda each: {"serviceId": "a", "instanceBaseUrls": ["http://h.test:1"], **each})
    return st.fixed_dictionaries({"services": st.lists(good, max_size=2)}, optional={"catalogUiTiles": inner})


BREAKS = [each.encode() for each in "\n\r\x85\u2028\u2029"]
"""YAML's ends of lines."""


def checked(data: bytes) -> None:
    """Understood, or refused with a line of the file and what was expected."""
    last = sum(data.count(each) for each in BREAKS) + 2
    try:
        found = read(data, "f.yml")
    except Refusal as refused:
        found = Definitions(refusals=(refused,))
    for refused in found.refusals:
        assert 1 <= refused.line <= last
        assert str(refused) == f"f.yml:{refused.line}: {refused.reason}"
        assert "expected" in refused.reason or refused.reason.startswith("not ")
    for static in found.instances:
        assert msgspec.msgpack.encode(static.registration)
        assert all(isinstance(value, str) for value in static.registration.metadata.values())
        assert 1 <= static.line <= last


@given(trees | shaped(trees))
@example({"services": [{"x` - at `$.services[0]": 1}]})
@example({"services": [{"authentication": {"scheme": "x' - at `$.services[5].mode`"}}]})
def test_any_tree_is_understood_or_refused_with_a_line(value: Any) -> None:
    checked(yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "replace"))


@given(st.binary(max_size=60) | st.text(st.sampled_from("[]{}:,-&*!|>'\"%@`#?~ \n\tab1"), max_size=40).map(str.encode))
def test_any_bytes_are_understood_or_refused_with_a_line(data: bytes) -> None:
    checked(data)


@given(trees)
def test_what_was_written_is_read_as_text(value: Any) -> None:
    """The same shape, scalars as they were written."""
    text = yaml.safe_dump(value, allow_unicode=True)
    try:
        found = tree.grown(text.encode("utf-8", "replace")).root
    except tree.Malformed:
        return
    again = yaml.safe_load(yaml.safe_dump(found))

    def outline(of: Any) -> Any:
        if isinstance(of, dict):
            return sorted(repr(outline(below)) for below in of.values())
        return [outline(each) for each in of] if isinstance(of, list) else of is None

    assert outline(again) == outline(yaml.safe_load(text))
