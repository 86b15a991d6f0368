"""What callers notice when an instance goes bad behind each proxy: killed, hung, unreachable, refusing, slow.

    load, 300 GETs and 100 POSTs a second ──▶ proxy ──▶ one (goes bad), two (, three): a process each
    └──────────────────────── rest of the cores ────────────────────────┘    the proxy has one core to itself

`python -P -m bench.failover` (`--peers A,B`, `--faults A,B`, `--seconds N` of a trial, `--trials N`)

    __main__    which trials, in which order; the tables are printed at the end
    faults      what goes wrong, how it is brought about, and what the goals are
    proxies     how each proxy is configured and started: as it comes, and tuned as its documentation advises
    instance    one instance: a process with a switch; what it was asked is in a file that outlives it
    calls       the load: an open loop over kept connections; every call's end is kept
    trial       two seconds of calm, the fault, four seconds more; everything is started afresh and ended
    stalled     attempts to reach an instance that cannot know of them
    figures     what came out, counted; table  set side by side
    registry    what plexmesh's gateway watches

A call is *lost* when it was not answered 200 within five seconds of when it was due. The bad instance's *share* is of
the calls due in a window, those that reached it: each instance writes down the number of every call it reads, also the
hung one (it goes on after the trial, and then reads what its kernel took meanwhile). Of an unreachable one the attempts
are counted that the proxy's kernel knows of, its probes and repeated attempts too. Of a dead one, whose kernel refuses
at once, the calls count that were lost.

A call takes an instance 2 ms, so that some are under way when it dies. Only calls go wrong with one that refuses or is
slow; its health page stays well, so checks alone do not find it. In trials of six seconds the last two are the seconds
2 to 4 after the fault; longer ones tell what is left later. All instances go bad in `overload` (three times the calls
they can do) and `all-503`; these are tried only when asked for.

Not here: rates and latencies while all is well (`bench.gateway`); LPARs that die (`make demo`); several gateways.
"""
