"""The gateway: HTTP in, HTTP out; routing, balancing, health; and its own pages.

    client ──► listener ──► downstream ──► exchange ──► pool ──► upstream ──► instance
                               │ reader       │ routes, balancer, health       │ reader
                               │ fields       │ (entrance: aim, gates, …)      │ fields
                               └ heads        │ account, relay                 └ answer_heads
                                              └ a snapshot ◄── watch ◄── discovery

    parent: desk ── api, collector, the registry entry       `python -P -m gateway`
      │ inner ◄─────────── own pages ───────────────┐
      └ crew ── child ◄── channel (control) ──► worker ── front: the path above, its watch, probes, listeners

    core     reader, fields, heads, chunked, answer_heads, forwarding, relay, relocation, early_upgrade: bytes and heads
             routes, paths, policy, limits, outside, snapshot, fold: what is known, made of registry and configuration
             standing, health, pickers, balancer, aim, budget, retries, guards: whom a call goes to, and whether again
             callers, cors, rates, bulkhead, gradient, replies: who may call, how often, how many at once
             meters, report, control, access_records, access_sampling: what is told
    shell    listener, vipa, downstream, exchange, upstream, pool, dialing, outbox, ticker, account: a request's way
             datapath, entrance, gates: what requests share, and what some of them are asked first
             inner, probing, watch, access_log, access_file: beside it
             front, worker, channel, child, crew, cores: processes
    pages    api, views, collector, desk, console/, zowe/ (Zowe's own endpoints), login/
             explain, asked, explanation, near_misses, hearsay, inquiry: why a call is answered as it is

Invariants:

- Nothing on the way of a request awaits the registry, a lock or a log. A request is served from the snapshot that is
  current when it is routed, and the last snapshot stays when no discovery node answers.
- What goes to an instance is rebuilt from parsed parts; nothing malformed and no copied head is ever sent on.
- A request is never sent a second time once a byte of it was written, unless its method is safe.
- What was learned of an instance lies beside the snapshot and outlives it; no rule leaves a service without candidates
  while one of its instances is UP, but for those that name an instance or an LPAR.
- A registration harms nobody but its own service, whatever it says.
- A body cut short never looks whole to the client: its connection is reset.
- Bodies are relayed, never gathered; the slower side sets the pace.
- Workers share nothing but the port: each has sockets, a watch stream and health records of its own.
- A worker is replaced only by one that is ready, and none outlives its parent.

It does not promise that a call other than a safe one reaches exactly one instance when that instance dies: such a call
is answered 503 "outcome unknown". A call in flight inside a worker that dies is cut.

Sources: RFC 9110 and 9112 (semantics, framing), RFC 7239 (Forwarded), RFC 6455 (websocket); Zowe API Mediation Layer
for routes, headers, own endpoints and error bodies; Envoy, Finagle and linkerd for ejection, panic, peak EWMA and
budgets.
"""
