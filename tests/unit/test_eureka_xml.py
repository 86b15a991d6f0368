"""Register bodies in XML: the same registration as from JSON, and what is refused."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.eureka import document
from discovery.eureka.decode import Unparsable, Unsupported, decode, decode_json, decode_xml
from discovery.eureka.render import JSON, XML, render
from discovery.registration import DataCenter, Registration
from shared.errors import BadInput

SHORT = """<?xml version="1.0" encoding="UTF-8"?>
<instance>
  <hostName>10.1.4.7</hostName><app>basket</app><ipAddr>10.1.4.7</ipAddr>
  <port enabled="true">8080</port><securePort enabled="false">443</securePort>
  <dataCenterInfo class="com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"><name>MyOwn</name></dataCenterInfo>
  <leaseInfo><durationInSecs>40</durationInSecs></leaseInfo>
  <metadata><zone>north</zone><a__b>1</a__b><a_b>2</a_b><_-x>3</_-x><_.0031>4</_.0031><empty/></metadata>
</instance>"""

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).map(str.strip).filter(bool)


def test_what_clients_write_by_hand() -> None:
    found = decode_xml(SHORT.encode(), "BASKET")
    assert (found.instance, found.port, found.port_enabled, found.secure_port_enabled) == (
        "10.1.4.7",
        8080,
        True,
        False,
    )
    assert (found.status, found.lease_s, found.data_center) == ("UP", 40, DataCenter())
    assert found.metadata == {"zone": "north", "a_b": "2", "$x": "3", "1": "4", "empty": ""}


@given(st.dictionaries(TEXT, TEXT, max_size=4), TEXT)
def test_what_is_listed_in_xml_can_be_registered_again(metadata: dict[str, str], url: str) -> None:
    amazon = DataCenter("Amazon", "com.netflix.appinfo.AmazonInfo", {"instance-id": "i_1"})
    one = Registration(
        app="BASKET", instance="i1", host="h", ip="192.0.2.1", status="DOWN", override="OUT_OF_SERVICE", port=80,
        port_enabled=False, data_center=amazon, metadata=metadata, home_page_url=url, vip="a,b", dirty_ms=7,
    )  # fmt: skip
    listed = {media: render("instance", document.instance(one), media) for media in (JSON, XML)}
    assert decode_xml(listed[XML], "BASKET") == decode_json(listed[JSON], "BASKET") == one


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "no element found"),
        ("<instance>", "no element found"),
        ("<application/>", "expected <instance>, got <application>"),
        ('<!DOCTYPE i [<!ENTITY a "b">]><instance><app>&a;</app></instance>', "DTDForbidden"),
        (SHORT.replace("<app>basket</app>", "<app><b/></app>"), "app: expected text, got <b>"),
        (SHORT.replace("north", "\x01"), "not well-formed"),
    ],
)
def test_what_is_no_instance_is_refused_as_a_whole(body: str, text: str) -> None:
    with pytest.raises(Unparsable, match="cannot parse request body") as refused:
        decode_xml(body.encode(), "BASKET")
    assert text in str(refused.value)


def test_a_wrong_field_is_named() -> None:
    with pytest.raises(BadInput, match="port: expected a whole number, got 'http'"):
        decode_xml(SHORT.replace("8080", "http").encode(), "BASKET")


@pytest.mark.parametrize("kind", ["", "application/xml", "text/xml"])
def test_xml_is_known_by_its_type_or_its_look(kind: str) -> None:
    assert decode(SHORT.encode(), kind, "BASKET").app == "BASKET"


def test_other_types_are_refused() -> None:
    with pytest.raises(Unsupported, match="Content-Type: 'text/plain', expected application/json or application/xml"):
        decode(SHORT.encode(), "text/plain", "BASKET")


def test_an_app_is_one_step_of_a_path() -> None:
    with pytest.raises(BadInput, match="appName: 'bas/ket', expected a name without '/'"):
        decode_xml(SHORT.replace("basket", "bas/ket").encode(), "BAS/KET")


def test_what_is_written_is_plain_xml() -> None:
    written = render("instance", document.instance(decode_xml(SHORT.encode(), "basket")), XML)
    assert {each.tag for each in ET.fromstring(written).findall("metadata/*")} >= {"a__b", "_-x", "_.0031"}
