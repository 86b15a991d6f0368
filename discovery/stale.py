"""What says in an answer's headers that not all of it is certain yet."""

STALE = "X-Plexmesh-Stale"
"""Something of the answer comes from disk and no peer has confirmed it, or the node is still joining."""
