"""What the client takes from its surroundings."""

from __future__ import annotations

from pathlib import Path

import pytest

import plexmesh
from plexmesh import environment


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PLEXMESH_HOST", "PLEXMESH_DISCOVERY", "PLEXMESH_LPAR", "PLEXMESH_DATA", "HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)


def test_arguments_win_over_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXMESH_HOST", "192.0.2.9")
    monkeypatch.setenv("PLEXMESH_LPAR", "LPAR9")
    monkeypatch.setenv("PORT", "9")
    service = plexmesh.Service("Orders", host="192.0.2.1", port=9000, lpar="LPAR1")
    assert service.registration.instance_id == "192.0.2.1:orders:9000"
    assert service.registration.lpar == "LPAR1"


def test_a_launchers_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "127.0.2.1")
    monkeypatch.setenv("PORT", "9000")
    assert plexmesh.Service("orders").registration.instance_id == "127.0.2.1:orders:9000"
    monkeypatch.setenv("PLEXMESH_HOST", "127.0.3.1")
    assert plexmesh.Service("orders").registration.host == "127.0.3.1"


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_an_address_to_listen_on_is_not_one_to_call(wildcard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.host(wildcard, []) == environment.own_address()
    monkeypatch.setenv("HOST", wildcard)
    assert environment.host(None, []) == environment.own_address()


@pytest.mark.parametrize("url", ["http://127.0.1.1:7553", "http://localhost:7553"])
def test_beside_a_registry_on_the_loopback_that_is_where_we_are(url: str) -> None:
    assert plexmesh.Service("orders", port=9000, discovery=[url]).registration.host == "127.0.0.1"


@pytest.mark.parametrize("url", ["http://discovery.test:7553", "not a url", "http://[::1", ""])
def test_a_name_is_not_looked_up_for_it(url: str) -> None:
    assert environment.own_address([url]) == environment.own_address()


@pytest.mark.parametrize(("variable", "given"), [(None, None), ("http", None), ("9000", 0), ("9000", 65536)])
def test_a_port_that_is_none_is_said(variable: str | None, given: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if variable:
        monkeypatch.setenv("PORT", variable)
    with pytest.raises(ValueError, match="port: "):
        plexmesh.Service("orders", port=given, host="192.0.2.1")


def test_discovery_in_both_forms_people_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXMESH_DISCOVERY", "http://a:7553/eureka/, http://b:7553/,")
    assert environment.discovery_urls(None) == ["http://a:7553", "http://b:7553"]
    assert environment.discovery_urls([]) == []


def test_components_of_a_sysplex_lock_in_its_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert environment.lock_folder().name.startswith("plexmesh-")
    monkeypatch.setenv("PLEXMESH_DATA", str(tmp_path))
    monkeypatch.setenv("PLEXMESH_LPAR", "LPAR1")
    assert environment.lock_folder() == tmp_path / "LPAR1" / "run"
