"""caching: a key/value service whose truth is a store that outlives every instance.

      client ──▶ any gateway ──▶ caching LPAR1        caching LPAR2
                                      │ flock, commit      │
                                      ▼                    ▼
                          <data>/volume/PLEX.CACHE   one data set for the sysplex

Zowe's Caching Service contract (every call, code and message key; lists on every backend) over the `Storage` port. An
instance keeps nothing of its own: any of them answers any call, and losing all of them loses no acknowledged write.

Invariants
  - a write is acknowledged after its commit is synced, never before; 503 = certainly not applied, 504 = not known
  - an entry is found by its full (owner, key); names are never run together, digests only speed up the search
  - create never overwrites; replace and delete of what is not there change nothing
  - no cached value is ever logged or put into an error

Not promised: anything of the above by `inMemory`, which is per instance and forgets; survival of a lost volume, or of
power lost together with a disk that lies about syncing.

    entries, writes, expiry     names and entries; what each write decides, on any table (core: no IO, no clock)
    storage                     the port, and its errors (core)
    caller, settings, messages  who calls; the `storage:` setting; errors in Zowe's words (core)
    backends/                   vsam (a simulated KSDS on SQLite) and inMemory
    api, health, metrics, app   HTTP, numbers, construction (shell)
    idcams/                     commands for data sets: define, listcat, repro, delete

Sources: Zowe API ML's Caching Service (REST contract, sizes, eviction); IBM's VSAM key-sequenced data sets.
"""
