"""etcd: a real store whose acknowledged writes survive any minority of its members.

    keys, records, settings   names and entries as bytes; the setting (core)
    table                     the `Table` of one batch: decides on what was read, remembers what it relied on (core)
    batches                   calls that wait together go together
    memory                    what was last seen of keys
    commits                   a batch as one transaction
    client                    the v3 JSON gateway, one member after the other
    storage                   the port: reads, batches of writes, sweeping what has expired

A batch of writes is one transaction: read what it is about, decide as every backend does (`caching.writes`), commit if
nothing of what was read has changed since, else decide again. A key of the instance's own is read and written in each,
so a transaction whose answer got lost can be told from one that never arrived, and one that arrives late does nothing.

Not used: etcd's locks (they are not safe under pauses), serializable reads (they are stale), and leases on entries
(what a lease removes nobody counts; a sweeper removes what has expired, and counts).

Sources: etcd's v3 API; Jepsen's analysis of etcd 3.4.3.
"""
