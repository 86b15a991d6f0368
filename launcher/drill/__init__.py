"""`plexmesh drill`: break something on purpose under load, watch everybody, and say whether what was promised held.

    scenario ──► run ──┬── load      calls on time, whatever becomes of them     ──┐
    (YAML)             ├── steps     kill, pause, partition …, by a target       ──┼─► verdict ──► result ──► report
                       └── observe   every gateway's and registry's view, events ──┘     (pure)     (JSON)     (HTML)

    scenario, expectation   core: the data of a scenario, checked
    calls, views, verdict   core: what was seen, and the judgement
    load, observe, target, local, run    shell
    result, report          the document, and its picture

Nothing in a drill is special: steps are the orders people give, calls come from outside, views are what any process
tells anybody who asks. What a drill cannot see (a call that a user's own tool made) it does not judge.
"""
