"""The caching service on each of its stores, beside the bare stores and a bare HTTP server: one run, one table.

    wrk ──▶ caching instance ──▶ store          the instance has one core to itself
    └────────── rest of the cores ──┘

`python -P -m bench.caching` (`--soon` for a smoke; `--only STORE…`)

    __main__   which, in which order, and the table
    asked      what is asked: reads and writes of 1,000 keys, 512-byte values, over 16 connections
    services   an instance of ours; the least that an aiohttp server does (a dictionary and JSON)
    bare       the same reads and writes at the store itself, without anything of ours around it
    shares     of the processor time of one request: HTTP, JSON, the store

Every write is acknowledged as the service promises: on `vsam` after a sync, on etcd by a majority, on Redis by the
primary (AOF everysec). The bare server shows what the machine can do over HTTP: the goals were set on a faster one.
"""
