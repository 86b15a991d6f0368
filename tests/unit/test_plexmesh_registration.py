"""What the client tells the registry."""

from plexmesh import Registration


def test_routes_become_zowes_metadata() -> None:
    given = Registration(
        service_id="orders", host="192.0.2.1", port=9000, instance_id="a", lpar="LPAR1", routes={"api/v1": "/orders"}
    )
    metadata = given.all_metadata()
    assert metadata["apiml.routes.api-v1.gatewayUrl"] == "api/v1"
    assert metadata["apiml.routes.api-v1.serviceUrl"] == "/orders"
    assert metadata["zos.lpar"] == "LPAR1"


def test_without_routes_and_lpar_nothing_is_claimed() -> None:
    metadata = Registration(service_id="orders", host="192.0.2.1", port=9000, instance_id="a").all_metadata()
    assert not [key for key in metadata if key.startswith(("apiml.", "zos."))]


def test_given_metadata_wins() -> None:
    given = Registration(
        service_id="orders", host="192.0.2.1", port=9000, instance_id="a", metadata={"version": "9", "zone": "n"}
    )
    assert given.all_metadata() == {"version": "9", "zone": "n"}


def test_the_document_is_eurekas() -> None:
    given = Registration(service_id="orders", host="192.0.2.1", port=9000, instance_id="a")
    instance = given.document("UP", 5)["instance"]
    assert instance["app"] == "ORDERS"
    assert instance["port"] == {"$": 9000, "@enabled": "true"}
    assert instance["leaseInfo"] == {"renewalIntervalInSecs": 5, "durationInSecs": 15}
    assert instance["lastDirtyTimestamp"] == "5"
