"""A program around spring-ready-python's registry and discovery."""

from __future__ import annotations

from spring_ready.eureka.discovery import ServiceDiscovery
from spring_ready.eureka.instance import InstanceInfo, InstanceStatus, LeaseInfo
from spring_ready.eureka.registry import EurekaRegistry

from tests.integration.eureka_client_lines import given, serve

GIVEN = given()
INSTANCE = InstanceInfo.create(
    GIVEN.app,
    instance_id=f"{GIVEN.host}:{GIVEN.app.lower()}:{GIVEN.port}",
    host_name=GIVEN.host,
    ip_addr=GIVEN.host,
    port=GIVEN.port,
    metadata={name: str(value) for name, value in GIVEN.metadata.items()},
)
INSTANCE.lease_info = LeaseInfo(renewal_interval_in_secs=GIVEN.interval_s, duration_in_secs=GIVEN.lease_s)
REGISTRY = EurekaRegistry(GIVEN.servers, INSTANCE)
DISCOVERY = ServiceDiscovery(REGISTRY.client)


def view() -> dict[str, str]:
    listed = REGISTRY.client.get_applications()["applications"]["application"]
    return {f"{each['app']}/{each['instanceId']}": each["status"] for app in listed for each in app["instance"]}


def register(metadata: dict[str, str]) -> None:
    """Once more, with other metadata, and the same stamp as always."""
    INSTANCE.metadata = metadata
    REGISTRY.client.register(INSTANCE)


serve(
    REGISTRY.start,
    view=view,
    register=register,
    status=lambda word: REGISTRY.update_status(InstanceStatus(word)),
    url=DISCOVERY.get_service_url,
    services=DISCOVERY.list_services,
    stop=REGISTRY.shutdown,
)
