"""What the cache is broken with, and how it is judged.

history   what clients did and were told, with the instants
checker   is there an order of it that a single register per key could have had?
link      a TCP proxy that can be cut, made deaf or slow
clients   clients that record what they do, over REST
schedule  seeded faults, one after the other
guards    instances with one guard taken away
"""
