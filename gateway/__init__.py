"""The gateway: HTTP in, HTTP out; routing, balancing, health; and its own pages.

    client ──► listener ──► downstream ──► exchange ──► pool ──► upstream ──► instance
                               │ reader       │ routes, pickers, health        │ reader
                               └ heads        └ a snapshot ◄── watch ◄── discovery

    core     reader, heads, answer_heads, paths, routes, snapshot, pickers, health, retries, replies
    shell    listener, vipa, downstream, exchange, upstream, pool, dialing, inner, probing, watch, sse, ticker, meters
    pages    api, console/

Invariants:

- Nothing on the way of a request awaits the registry, a lock or a log. A request is served from the snapshot that is
  current when it is routed, and the last snapshot stays when no discovery node answers.
- What goes to an instance is rebuilt from parsed parts; nothing malformed and no copied head is ever sent on.
- A request is never sent a second time once a byte of it was written, unless its method is safe.
- A body cut short never looks whole to the client: its connection is reset.
- Bodies are relayed, never gathered; the slower side sets the pace.

It does not promise that a call other than a safe one reaches exactly one instance when that instance dies: such a call
is answered 503 "outcome unknown". A call in flight inside a gateway that dies is cut.

Sources: RFC 9110 and 9112 (semantics, framing), RFC 7239 (Forwarded), RFC 6455 (websocket); Zowe API Mediation Layer
for routes, headers and error bodies.
"""
