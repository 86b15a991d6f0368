"""The sample's OpenAPI document: valid, complete, and found by a catalog."""

from __future__ import annotations

import schemathesis

from gateway.zowe.metadata import apis
from sample import openapi
from sample.api import SampleApi
from sample.config import SampleConfig


def test_the_document_is_valid_and_has_every_path_of_the_api() -> None:
    schemathesis.openapi.from_dict(openapi.document()).validate()
    served = {route.path for route in SampleApi(SampleConfig()).routes()}  # type: ignore[attr-defined]
    base = openapi.document()["servers"][0]["url"]
    paths = {path for path in served if path.startswith(base)}
    assert {base + path for path in openapi.PATHS} == paths - {openapi.PATH}


def test_a_catalog_finds_it() -> None:
    config = SampleConfig(host="127.0.9.1", port=7560)
    (api,) = apis(openapi.metadata(config))
    assert (api["gatewayUrl"], api["swaggerUrl"]) == ("api/v1", f"http://127.0.9.1:7560{openapi.PATH}")
