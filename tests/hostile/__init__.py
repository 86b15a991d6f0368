"""Hostile clients: a corpus of requests that try to be understood in two ways, and what judges the gateway by them.

    grammar    HTTP/1.1 as the RFC has it, read strictly and by nothing of the gateway: field lines, chunks
    judge      requests cut from a stream          answers    answers cut from a stream
    passing    what a gateway may pass on          meant      what a client's request must arrive as
    recorder   an instance that keeps and judges every byte it gets
    entry      one hostile conversation            corpus_*   the conversations, by kind
    play       one conversation with a real gateway, and everything that was wrong with it
    mutation   conversations made by damaging good ones

The invariant all of it serves: whatever a client sends, an instance gets requests that can be read in one way only,
each of which the client has asked for by a request of its own, and every client gets the answers to its own requests.

Sources: RFC 9110, 9112 and 3986; the attack classes are named as in "HTTP Desync Attacks" (Kettle, 2019 and later).
"""
