"""discovery: the replicated registry.

      client ──Eureka──▶ node LPAR1 ◀──push, sync──▶ node LPAR2 ◀──Eureka── client
                            │ watch (SSE)               │ watch (SSE)
                            ▼                           ▼
                         gateway                     gateway

Each node, at each boot, is an *origin*: the only writer of a log of its own. A registration is written into the log
of the node that took it, which then *owns* the lease: heartbeats stay there and are never replicated. Changes are
pushed to every peer at once and repaired by comparing digests every second. What is visible is, per instance, the best
record of all logs (`record.rank`), so any two nodes that have seen the same logs show the same registry.

Invariants
  - a log is written by its origin alone; sequence numbers are dense and never reused
  - a deregistration is final for the process that made it, whatever arrives late
  - an instance with a living owner goes after its lease and at most one sweep (1 s), not after twice the lease
  - losing a discovery node removes no instance that still beats: the first heartbeat elsewhere adopts it

Not promised: agreement at one instant (two nodes may differ for as long as a message takes; a split heals by merging),
and a deregistration acknowledged by a single node that then vanishes before it could push it.

    hlc, record, space, view, lease, replica    the registry's nouns, and one node's copy of it (core: no IO, no clock)
    membership, owners, link, messages          peers, and what is said to them (core)
    node, effects                               one node: a step in, effects out (core)
    registration, registry                      what clients say, and the rules of status and staleness (core)
    peers, watch, api, eureka/, app             sockets, timers, answers (shell)

Sources: scuttlebutt reconciliation (van Renesse et al. 2008), delta-interval anti-entropy (Almeida et al. 2018), hybrid
logical clocks (Kulkarni, Demirbas et al. 2014), Netflix Eureka's REST operations.
"""
