"""What five discovery nodes on two cores can do: `python -P -m bench.registry` (`--quick` for a smoke of seconds).

    this process: the load ──HTTP──▶ node 1 … node 5   (processes; 127.0.90.x … 127.0.94.x, port 7553)
                                        │ SSE
                                    watcher 1, 2        (processes)

For each number of resident instances the five nodes are started afresh and filled; the instances beat all the time,
each at the node where it registered, as a client library would (batches of 50, every 30 s). Then one measure after the
other. Every measure prints the CPU share of each process, and of everything else on the machine.

When a change is on a node is noted inside that node (`bench.registry.node`: the product plus a hook that notes the
monotonic clock, which all processes of a machine share); when a watcher sees it, in the watcher, on a real stream.

What is not honest about it, and cannot be helped here: one machine, no network, load and servers on the same two cores.
"""
