"""What crosses a process, or what two services use today; nothing else.

    wire          the messages plexmesh's own processes exchange
    errors        the error tree, and how an error becomes an answer or an exit code
    config        one frozen dataclass per service, filled from file, environment and flags
    plexfile      plexmesh.yaml: Zowe's keys, checked, one LPAR's view of it
    log, events   log lines for people and machines; the ring of the last state changes
    net           sockets: listening, and calling out from an LPAR's own address
    application   /application/…: what every process says about itself
    zowe          Zowe's form of an error body, and the messages its services have in common
    lifecycle     signals, the task group, exit codes
    simulated     the one text that says what is real here and what is not

Sits above `plexmesh` (the public client) and below the services; imports none of them.
"""
