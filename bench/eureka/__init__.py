"""Discovery's Eureka API under the load of its clients, beside a real Eureka server in the same run.

    __main__   which measures, in which order; the table
    server     the server under test, pinned to the first core: a discovery node, or Spring Cloud's Eureka server
    requests   what Java's clients send, as bytes
    download   long answers, read without keeping them; the moment of their first byte
    rates      heartbeats, registrations, lists
    poller     one client that asks for the whole list every 5 ms, and what that does to the others
    crowd      10,000 clients at 30 s, of which 200 fall silent

The load has the second core to itself. A rate is told twice: per second of the clock, and per second of the server's
own processor time, which is what a core gives when nothing else is in the way.
"""
