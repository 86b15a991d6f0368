"""Every operation of a launcher (`launcher.api`) and of `up` (`launcher.sysplex_api`, `launcher.drills_api`), for their
OpenAPI documents."""

from __future__ import annotations

from launcher.api import Ordered
from launcher.drills_api import Wanted
from launcher.sysplex_api import Restart, Suspect
from shared import wire
from shared.operation import LINES, PAGE, Document, Operation, document

LAUNCHER = (
    Operation("GET", "/v1/lpar", "The LPAR and its components, with what they use", {200: wire.Lpar}),
    Operation("POST", "/v1/command", "An operator's command in Zowe's words", body=Ordered),
    Operation("POST", "/v1/reload", "Read plexmesh.yaml again; it holds from a component's next start", body=dict),
    Operation(
        "POST",
        "/v1/components/{name}/{action}",
        "Kill, pause, resume, stop, start or reload a component; answers when it is done",
        {200: wire.Component},
        body=dict,
    ),
)

UP = (
    Operation("GET", "/v1/status", "The whole sysplex", {200: wire.SysplexStatus}),
    Operation("GET", "/v1/sysplex", "Whose it is: name, pid, data folder"),
    Operation(
        "POST",
        "/v1/lpars/{lpar}/{action}",
        "Kill, pause, resume, stop or start an LPAR; answers when it is done",
        {200: wire.Lpar},
        body=dict,
    ),
    Operation(
        "POST",
        "/v1/lpars/{lpar}/quiesce",
        "Its gateway leaves the sysplex address",
        {200: wire.Distributor},
        body=dict,
    ),
    Operation(
        "POST",
        "/v1/lpars/{lpar}/activate",
        "Its gateway may be on the sysplex address again",
        {200: wire.Distributor},
        body=dict,
    ),
    Operation(
        "POST",
        "/v1/lpars/{lpar}/components/{name}/{action}",
        "The same for a component, by its launcher; reload too",
        {200: wire.Component},
        body=dict,
    ),
    Operation(
        "POST",
        "/v1/lpars/{lpar}/components/{name}/fence",
        "Kill it if it is that process, frozen LPAR or not",
        body=Suspect,
    ),
    Operation("POST", "/v1/restart", "One instance after the other; a line for each step", {200: LINES}, body=Restart),
    Operation("POST", "/v1/reload", "Read plexmesh.yaml again", {200: wire.Adopted}, body=dict),
    Operation("POST", "/v1/down", "Stop everything", {202: dict}, body=dict),
    Operation("GET", "/v1/drills", "Drills that can be run, and the runs so far", {200: wire.Drills}),
    Operation("POST", "/v1/drills", "Run one; 409 while another one runs", {202: dict}, body=Wanted),
    Operation("GET", "/v1/drills/{run}", "Everything about a run", {200: wire.DrillCourse}),
    Operation("GET", "/v1/drills/{run}/progress", "A run as it happens: a line each", {200: LINES}),
    Operation("GET", "/v1/drills/{run}/report", "The page it ended with", {200: PAGE}),
    Operation("DELETE", "/v1/drills/{run}", "Stop it; it ends when everything is mended", {202: dict}),
)


def launcher() -> list[Document]:
    return [document("plexmesh launcher", LAUNCHER)]


def up() -> list[Document]:
    return [document("plexmesh up", UP)]
