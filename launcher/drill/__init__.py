"""`plexmesh drill`: break something on purpose under load, watch everybody, and say whether what was promised held.

    scenario ──► run ──┬── load      calls on time, whatever becomes of them     ──┐
    (YAML)             ├── steps     kill, pause, partition …, by a target       ──┼─► verdict ──► result ──► report
                       └── observe   every gateway's and registry's view, events ──┘     (pure)     (JSON)     (HTML)

    scenario, expectation              core: the data of a scenario, checked
    evidence, verdict, summary         core: what was seen, the judgement, the document made of both
    client, load, steps, storm, observe, target, local, run, session    shell
    result, report, chart, live        the document, its page and pictures, the terminal

Nothing in a drill is special: steps are the orders people give, calls come from outside, views are what any process
tells anybody who asks. What a drill cannot see (a call that a user's own tool made) it does not judge.
"""
