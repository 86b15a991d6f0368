"""Redis, or Valkey: a real store, fast; a failover can take the last acknowledged writes with it.

    settings, keys, records   the setting; names and entries as bytes (core)
    scripts, script.lua       a write as one Lua script: found, decided, stored and counted in one step (core)
    replies, guards           what the server's errors mean; what it says about itself, and is wrong with that (core)
    lane                      one connection; calls that wait together go together
    address                   where the master is: the node itself, or what the sentinels say
    storage                   the port: reads, writes, sweeping what has expired

The server runs one script at a time, so what it decides is decided on the newest state of *this* server. Replication is
asynchronous: who is promoted may lack the last writes. `min-replicas-to-write` bounds that, and nothing removes it.

All keys of one owner share a hash slot. Not built: Redis Cluster (opening one is refused), a watch, and native expiry
of entries (nobody counts what it removes; a sweeper removes what has expired, and counts).

Sources: Redis' documentation of EVALSHA, replication, Sentinel and `maxmemory-policy`; Zowe's Caching Service.
"""
