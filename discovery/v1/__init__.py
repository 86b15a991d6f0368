"""plexmesh's own API of a discovery node, below /v1: JSON over HTTP, described by `GET /v1/openapi.json`.

    operations    the table of operations: routes and document are made from it, so they cannot drift apart
    shapes        what goes in and out
    decode        bodies and parameters in; what is wrong is named: field, value, expectation
    answers       JSON out, long lists a slice at a time
    instances, heartbeats, services, nodes, targets, streams     the operations

Errors are `application/problem+json`. While a node serves what it has from disk, answers carry `"stale": true` and the
header X-Plexmesh-Stale.

Not here: the rules (`discovery.registry`), Eureka's dialects (`discovery.eureka`), the peers' entrance
(`discovery.entrance`).
"""
