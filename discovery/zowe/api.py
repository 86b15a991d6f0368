"""/discovery/api/v1/staticApi: the static instances, and an order to read their definitions again now.

    GET     the instances, as Eureka's JSON has them
    POST    {"errors": […], "instances": […], "additionalServiceMetadata": {…}, "registeredServices": [ids]}

An order that finds errors is carried out all the same and answered 200; what could be used is used.

Source: Zowe API Mediation Layer, the discovery service's own API.
"""

from __future__ import annotations

import msgspec
from aiohttp import web

from discovery.eureka.document import instance
from discovery.zowe.refusal import Kind, Refusal
from discovery.zowe.static import Static
from shared import zowe
from shared.zowe import Message

KEY = "org.zowe.apiml.discovery."

MESSAGES: dict[Kind, Message] = {
    "no folder": Message(
        "ZWEAD700W",
        KEY + "staticDefinitionsDirectoryNotValid",
        "A folder of static definitions is not there, or is no folder.",
        "Check the setting staticApiDefinitionsDirectories.",
        "WARNING",
    ),
    "file": Message(
        "ZWEAD701E",
        KEY + "errorParsingStaticDefinitionFile",
        "A file of static definitions could not be read.",
        "Check that discovery may read the file.",
    ),
    "data": Message(
        "ZWEAD702W",
        KEY + "errorParsingStaticDefinitionData",
        "A static definition cannot be used as it stands.",
        "Correct the file at the line that is named.",
        "WARNING",
    ),
    "folder": Message(
        "ZWEAD703E",
        KEY + "errorReadingStaticDefinitionFolder",
        "A folder of static definitions could not be read.",
        "Check that discovery may read the folder.",
    ),
}


class StaticApi:
    def __init__(self, static: Static) -> None:
        self._static = static

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/discovery/api/v1/staticApi", self.show),
            web.post("/discovery/api/v1/staticApi", self.reload),
        ]

    async def show(self, _: web.Request) -> web.Response:
        return _json([instance(each) for each in self._static.instances()])

    async def reload(self, _: web.Request) -> web.Response:
        await self._static.round(anew=True)
        held = self._static.instances()
        rules = self._static.collection.rules
        return _json(
            {
                "errors": [_message(each) for each in self._static.refusals],
                "instances": [instance(each) for each in held],
                "additionalServiceMetadata": {
                    service: {"mode": rule.mode, "metadata": rule.metadata} for service, rule in rules.items()
                },
                "registeredServices": [each.instance for each in held],
            }
        )


def _message(refusal: Refusal) -> dict[str, str]:
    return zowe.view(MESSAGES[refusal.kind], str(refusal))


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
