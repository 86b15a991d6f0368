"""The launcher: one LPAR's components kept alive; `plexmesh up`: one launcher per LPAR; and the `plexmesh` command.

    plexmesh up ──┬── launcher LPAR1 ──┬── discovery        each arrow is a child that dies with its parent,
      127.0.0.1   │     127.0.1.1      ├── gateway          also when the parent is killed -9
         :7550    │       :7550        └── sample
                  └── launcher LPAR2 ──┬── …
                        127.0.2.1:7550

    restart, states                core: what to do when a component has ended; the state of a whole
    spec                           what is to be run in an LPAR, derived from plexmesh.yaml
    process, pids, logfile         shell: a child process; which process is whose; its output
    kin, orphans, resources        shell: who descends from whom; what has lost its parent; what a component uses
    readiness, component, supervisor, joblog, command, api, app     shell: one LPAR
    distribution, itinerary        core: which gateways are on the sysplex address; what is restarted after what
    plan, lpar, fence, distributor, rolling, sight, follow, journal, adoption, sysplex, sysplex_api, up
                                   shell: the sysplex
    compose_file, engine, compose  the same orders for LPARs that are containers
    place, lock, control, configuration, screen, cli              the command
    child_sysplex, drill           a sysplex of one's own; what breaks one on purpose, and judges
    register                                       `plexmesh register`: a process that has no client
    messages                       every state change in words, with Zowe's message ids

Invariants. No component outlives its launcher and no launcher outlives `up`; what a component has started ends with it
(`launcher.orphans` says how far that goes). A process is signalled only while it is provably the one that was started
(pid and start time). A component is ready when it says so itself.

Not promised: a lost LPAR is not started again by itself (the operator decides, as on z/OS); a component that answers
`ready` with an error is reported, not replaced; replaced is one that was ready and gives no sign of life any more
(`hungAfter`), fenced a gateway that does not answer at all, and a process that keeps the others from writing and gives
no sign of life.

Sources: Zowe's launcher (restart rule, stop order, message ids), prctl(2) PR_SET_PDEATHSIG, pidfd_open(2).
"""
