"""The stores behind the `Storage` port.

    in_memory    per instance, gone with it; for tests and single instances

    etcd, redis  packages of their own: real servers; batches: calls that wait together go together

    vsam         the store of a sysplex, a simulated KSDS: one SQLite file on the shared volume (simulated: the data
                 set; real: every lock, commit and sync)
      ksds         keys and records as bytes (core)
      data_set     the SQLite file: defining, opening, committing
      transaction  the table that a commit's writes decide on
      lock         one flock around each commit of any process
      output       NONRLS: one opener for output at a time
      openers, status, fencing, fence     who has it open, signs of life, and the end of a holder that gives none
      commits      the thread that writes: all waiting writes in one commit
      volume       which file systems can carry a write-ahead log shared by processes

One suite (tests/contract) runs over all of them.
"""
