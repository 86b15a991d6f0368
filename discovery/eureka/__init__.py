"""Eureka's REST API, version 2, in front of the registry; nothing outside this package knows its dialects.

    decode    a register body (JSON; sloppy input accepted) → Registration
    document  Registration → Eureka's instance document, its lists and the hash over them
    render    a document as JSON or XML
    delta     what has changed in the last three minutes
    paths     /eureka/apps, /eureka/v2/apps, /v2/apps; double and trailing slashes, encoded ids
    api       the operations

Invariants: a full list, its hash and the delta of one answer come from one moment; every 404 is empty; XML unless the
Accept header names JSON.

Source: Netflix Eureka (REST operations, CloudJacksonJson and XStream codecs), and what its clients in Java, JavaScript,
.NET and Python send and expect.
"""
