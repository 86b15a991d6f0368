"""Eureka's REST API, version 2, in front of the registry; nothing outside this package knows its dialects.

    paths, call                    a request: /eureka/apps, /eureka/v2/apps, /v2/apps; what of the headers counts
    decode, decode_xml             a register body (JSON or XML; sloppy input accepted) → Registration
    document, render               Registration → Eureka's instance document → JSON or XML, full or compact
    pieces, vips, delta            what is kept of the visible instances: their bytes, addresses, last changes
    facts                          what a server says of itself
    batch, inbound, outbox         what real Eureka servers and this node tell each other
                                   (all of these: core)
    lists                          lists as bytes that are ready when they are asked for
    replicator                     tells it to them (`eurekaPeers`)
    api                            the operations

Invariants: a list, its hash and its version are of one moment; a delta's version is equal exactly where it says the
same; every 404 is empty; XML unless the Accept header names JSON.

Where plexmesh differs from Netflix's servers: a change shows in the very next answer (they keep answers for up to
30 s); lists are never refused, but waited for and then marked stale; an override never touches the instance's own word;
bad input is 400 with a text, never 500; an encoded slash may be part of an id.

Source: Netflix Eureka (REST operations, CloudJacksonJson and XStream codecs), and what its clients in Java, JavaScript,
.NET and Python send and expect.
"""
