"""discovery: the replicated registry.

      client ──Eureka, /v1──▶ node LPAR1 ◀──push, sync, ping──▶ node LPAR2 ◀──Eureka, /v1── client
                                 │ watch (SSE)                     │ watch (SSE)
                                 ▼                                 ▼
                              gateway                           gateway

Each node, at each boot, is an *origin*: the only writer of a log of its own. A registration is written into the log
of the node that took it, which then *owns* the lease: heartbeats stay there and are never replicated. Changes are
pushed to every peer at once and repaired by comparing digests. What is visible is, per instance, the best record of all
logs (`record.rank`), so any two nodes that have seen the same logs show the same registry.

Who is there is found out by probing (SWIM with Lifeguard: a slow node doubts itself first). It picks peers and starts
the grace of what a dead owner held; no instance is removed by it. A node that was stopped for long begins a new log
(*fencing*); one that starts from disk believes the first peer that serves instead; a log is forgotten long after its
origin's death. Two guards (`guards`) withhold expiry when the fault is likelier the node's own.

Invariants
  - a log is written by its origin alone; sequence numbers are dense and never reused
  - a deregistration is final for the process that made it, whatever arrives late
  - an instance with a living owner goes after its lease and at most one sweep (1 s), not after twice the lease
  - losing a discovery node removes no instance that still beats: the first heartbeat elsewhere adopts it
  - what is on disk, behind a cut or in a stopped process revives nobody who has left
  - folding the watch from a token gives the node's own view, whichever node the token is from

Not promised: agreement at one instant (two nodes may differ for as long as a message takes; a split heals by merging);
a deregistration acknowledged by a single node that then vanishes with its disk before it could push it; more than 16
nodes (every node talks to every other).

    hlc, record, space, view, lease, guards, replica   the registry's nouns, and one node's copy of it
    awareness, suspicion, membership, probing          who is there
    owners, forgetting, judgement                      what that means for the registry
    link, replication, messages, joining, image        what is said to peers, when, and whether to serve already
    mesh, clocks, policy, node, effects                one node: a step in, effects out
    registration, registry, limits, token, tally       what clients say and may say; a watcher's place
                                                       (all of these: core, no IO, no clock)
    clock, driver, peers, connection, doorway, express,
    disk, snapshots, watch, bulletin, api, v1/,
    eureka/, app                                       time, sockets, files, answers (shell)

Sources: scuttlebutt reconciliation (van Renesse et al. 2008), delta-interval anti-entropy (Almeida et al. 2018), SWIM
(Das, Gupta, Motivala 2002), Lifeguard (Dadgar, Phillips, Currey 2017), hybrid logical clocks (Kulkarni, Demirbas et al.
2014), Netflix Eureka's REST operations.
"""
