"""Templates: what they find, and each thing that can be wrong with one."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import ConfigError
from shared.template import Templates

SCOPE: dict[str, Any] = {
    "zowe": {"externalPort": 7554, "externalDomains": ["plex.test", "other.test"], "on": True},
    "components": {"orders": {"port": "${{ zowe.externalPort }}", "url": "http://h:${{ components.orders.port }}/"}},
    "loop": {"a": "${{ loop.b }}", "b": "${{ loop.a }}"},
    "process": {"env": {"LEVEL": "DEBUG"}},
}


def found(value: Any) -> Any:
    return Templates(SCOPE).resolved(value, "file: key")


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${{ zowe.externalPort }}", 7554),
        ("${{zowe.on}}", True),
        ("${{ zowe.externalDomains[1] }}", "other.test"),
        ("${{ zowe.externalDomains }}", ["plex.test", "other.test"]),
        ("http://${{ zowe.externalDomains[0] }}:${{ zowe.externalPort }}/", "http://plex.test:7554/"),
        ("is ${{ zowe.on }}", "is true"),
        ("${{ components.orders.url }}", "http://h:7554/"),
        ("${{ process.env.LEVEL || 'INFO' }}", "DEBUG"),
        ("${{ process.env.COLOUR || 'blue' }}", "blue"),
        ('${{ a.b || zowe.nothing || "x" }}', "x"),
        ("${{ a || 5 }}", 5),
        ("${{ a || 2.5 }}", 2.5),
        ("${{ a || false }}", False),
        ("plain $ { text }", "plain $ { text }"),
        ({"a": ["${{ zowe.on }}", {"b": "${{ zowe.on }}"}]}, {"a": [True, {"b": True}]}),
    ],
)
def test_what_is_found(template: Any, value: Any) -> None:
    assert found(template) == value
    assert type(found(template)) is type(value)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            "${{ zowe.externalport }}",
            r"file: key: \$\{\{ zowe.externalport \}\}: there is no .*externalPort.*default follows",
        ),
        ("${{ nothing }}", r"there is no nothing"),
        ("${{ zowe.externalDomains[7] }}", r"there is no zowe.externalDomains\[7\]"),
        ("${{ 1 + 1 }}", r"'1 \+ 1' is neither path nor value; expected a dotted path"),
        ("${{ os.getenv('X') }}", r"is neither path nor value"),
        ("${{ }}", r"is neither path nor value"),
        ("${{ loop.a }}", r"leads back to itself: loop.a -> loop.b -> loop.a"),
        ({"a": ["${{ nothing }}"]}, r"file: key.a\[0\]: "),
    ],
)
def test_what_is_wrong_is_said_with_its_place(template: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        found(template)


def test_what_asks_about_the_lpar_waits_for_one() -> None:
    text = "${{ haInstance.hostname }}"
    assert Templates(SCOPE, per_lpar=True).resolved(text, "") == text
    assert Templates(SCOPE | {"haInstance": {"hostname": "h"}}).resolved(text, "") == "h"
