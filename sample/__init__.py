"""sample: a small service to try the mesh with; it knows its own LPAR and names no other.

api/v1/hello           who answers
api/v1/echo            any method: what arrived, as JSON
api/v1/slow?s=2        answers after that many seconds (at most 30)
api/v1/status/{code}   answers with that status
api/v1/stream?n=10     n lines, one every 0.2 s, as server-sent events
ui/v1                  a page
ws/v1/echo             a websocket that sends back what it gets
"""
