"""Discovery's settings in plexmesh.yaml: folders of static definitions in our spelling and in Zowe's."""

from __future__ import annotations

from pathlib import Path

import pytest

from discovery.config import DiscoveryConfig
from shared.config import load
from shared.errors import ConfigError


def loaded(tmp_path: Path, section: str, **environ: str) -> DiscoveryConfig:
    file = tmp_path / "plexmesh.yaml"
    file.write_text(f"components: {{discovery: {section}}}")
    return load(DiscoveryConfig, "discovery", [], {"PLEXMESH_CONFIG": str(file), **environ})


@pytest.mark.parametrize(
    "section",
    [
        "{staticApiDefinitionsDirectories: [defs, /other/defs]}",
        "{static_api_definitions_directories: [defs, /other/defs]}",
        "{staticApiDefinitionsDirectories: 'defs;/other/defs'}",
        "{staticApiDefinitionsDirectories: ' defs ; ;/other/defs;'}",
        "{apiml: {discovery: {staticApiDefinitionsDirectories: defs;/other/defs}}}",
        "{apiml: {discovery: {staticApiDefinitionsDirectories: [defs, /other/defs]}}}",
    ],
)
def test_folders_of_the_file_begin_at_its_folder(section: str, tmp_path: Path) -> None:
    config = loaded(tmp_path, section)
    assert config.static_api_definitions_directories == (tmp_path / "defs", Path("/other/defs"))


@pytest.mark.parametrize("given", ["a;/b", "a,/b"])
def test_folders_of_the_environment_begin_where_the_process_runs(given: str, tmp_path: Path) -> None:
    config = loaded(tmp_path, "{}", PLEXMESH_DISCOVERY_STATIC_API_DEFINITIONS_DIRECTORIES=given)
    assert config.static_api_definitions_directories == (Path("a"), Path("/b"))


def test_there_are_none_by_default(tmp_path: Path) -> None:
    assert loaded(tmp_path, "{}").static_api_definitions_directories == ()


def test_zowes_spelling_of_the_prefix_replacer(tmp_path: Path) -> None:
    config = loaded(tmp_path, "{apiml: {discovery: {serviceIdPrefixReplacer: 'ca,bcm'}}}")
    assert config.service_id_prefix_replacer == "ca,bcm"


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("{staticApiDefinitionsDirectories: 3}", "staticApiDefinitionsDirectories: expected paths (the value is 3)"),
        (
            "{staticApiDefinitionsDirectories: [3]}",
            "staticApiDefinitionsDirectories: expected paths (the value is [3])",
        ),
        (
            "{apiml: {discovery: {staticApiDefinitionsDirs: x}}}",
            "apiml.discovery.staticApiDefinitionsDirs: unknown key"
            " (did you mean 'apiml.discovery.staticApiDefinitionsDirectories'?)",
        ),
        ("{apiml: {discovery: x}}", "apiml.discovery: unknown key (did you mean 'apiml.discovery"),
        ("{apiml: {servis: {a: b}}}", "apiml.servis: unknown key"),
    ],
)
def test_what_is_wrong_is_named(section: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, section)
    assert str(refused.value).startswith(f"{tmp_path / 'plexmesh.yaml'}: components.discovery.{says}")
