"""The gateway: HTTP in, HTTP out; routing, balancing, health; and its own pages.

    client ──► listener ──► downstream ──► exchange ──► pool ──► upstream ──► instance
                               │ reader       │ routes, pickers, health        │ reader
                               │ fields       │ account, relay                 │ fields
                               └ heads        └ a snapshot ◄── watch           └ answer_heads
                                                                  └── discovery

    parent: desk ── api, collector, the registry entry       `python -P -m gateway`
      │ inner ◄─────────── own pages ───────────────┐
      └ crew ── child ◄── channel (control) ──► worker ── front: the path above, its watch, probes, listeners

    core     reader, fields, heads, chunked, answer_heads, forwarding, relay, relocation, early_upgrade: bytes and heads
             paths, routes, limits, callers, snapshot, pickers, health, retries, replies: decisions
             meters, report, control, access_records, access_sampling: what is told
    shell    listener, vipa, downstream, exchange, upstream, pool, dialing, outbox, ticker, account: a request's way
             inner, probing, watch, access_log, access_file: beside it
             front, worker, channel, child, crew, cores: processes
    pages    api, views, collector, desk, console/

Invariants:

- Nothing on the way of a request awaits the registry, a lock or a log. A request is served from the snapshot that is
  current when it is routed, and the last snapshot stays when no discovery node answers.
- What goes to an instance is rebuilt from parsed parts; nothing malformed and no copied head is ever sent on.
- A request is never sent a second time once a byte of it was written, unless its method is safe.
- A body cut short never looks whole to the client: its connection is reset.
- Bodies are relayed, never gathered; the slower side sets the pace.
- Workers share nothing but the port: each has sockets, a watch stream and health records of its own.
- A worker is replaced only by one that is ready, and none outlives its parent.

It does not promise that a call other than a safe one reaches exactly one instance when that instance dies: such a call
is answered 503 "outcome unknown". A call in flight inside a worker that dies is cut.

Sources: RFC 9110 and 9112 (semantics, framing), RFC 7239 (Forwarded), RFC 6455 (websocket); Zowe API Mediation Layer
for routes, headers and error bodies.
"""
