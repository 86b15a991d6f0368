"""What is simulated: one text, shown in the README, the `up` banner, /application/info and the pages' footer."""

REAL = "every request, heartbeat, gossip message, kill, fsync and certificate"

SIMULATED = (
    "an LPAR (processes, or a container, on one kernel, one clock, one disk)",
    "VSAM and its record sharing (an SQLite file on a shared volume)",
    "DVIPA and the Sysplex Distributor (shared listening sockets, or HAProxy)",
    "the job log (a file)",
    "SAF (a user file, and a table of who may do what)",
)

NOT_MODELLED = "power loss, XCF latency, WLM, RACF"

IN_ONE_LINE = f"Real: {REAL}. Simulated: {'; '.join(SIMULATED)}. Not modelled: {NOT_MODELLED}."

MODEL = "model of documented behaviour, not a run of Zowe"
"""Said wherever plexmesh behaves as Zowe documents it."""

ON_FAILURE = (
    'No GET gets an error answer; a call of another method that had already reached a dying instance gets 503 "outcome '
    'unknown"; a call in flight inside the gateway that dies is cut; every other call succeeds.'
)
