"""plexmesh's gateway beside nginx, HAProxy, Envoy and the proxy everyone writes first: one run, one table.

    load ──▶ proxy under test ──▶ upstream
    └───────── rest of the cores ───────┘     the proxy has one core to itself

`python -P -m bench.gateway` (`--soon` for a smoke; `--only`, `--peers`, `--connections` for a part; `--profile FOLDER`)

    __main__    which measures, in which order
    peers       how each proxy is configured and started; which are there
    upstream    what stands behind them; registry  what tells plexmesh's gateway of it; naive  the one everyone writes
    process     one process: its cores, CPU time, memory, end; cores  who runs where
    readiness   each proxy must answer rightly before anything is measured
    rounds      each proxy once a round, in turn; table  medians, ratios pair by pair, goals
    heads       what is asked: no two heads alike; wrk  small JSON, asked by it in C
    client      the load's own connections, for the rest; every answer is checked
    small  latency  bodies  websocket  memory  the measures; profile  where the time goes

A rate is told twice: per second of the clock, and per second of the proxy's own processor time. The quick proxies leave
some of their core idle where load and upstream share one, and then only the second is about the proxy. Figures of
two runs are never compared: a ratio is of two visits in the same round.

Not here: what happens when instances die (tests, drills); TLS (`bench.tls`); several workers.
"""
