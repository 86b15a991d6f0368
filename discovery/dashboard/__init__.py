"""The page of a discovery node, at `/`: what Eureka's users look at first.

    node ──────▶ state ──┐
    view ──search, finder┤
    changes ──▶ comings ─┼──▶ page ──/dashboard/state, JSON──▶ static/dashboard.js, once a second while it is seen
    peers' /v1/peers     │
      ──sight──▶ matrix ─┘

- `state`, with `rows`: the node and its instances in words that a page can show
- `search`: which instances are shown, and how many there are; `finder` does it in slices, never all at once
- `comings`: who came and who went, Eureka's "last 1000"
- `matrix`: how every node sees every other; `sight` asks the others while somebody looks
- `page`: the routes. It only reads: nothing can be changed here, so it needs no defence against forged requests

Whatever clients say of themselves reaches the page as data in JSON and is shown as text; of their URLs only those of
http and https become links. Nothing is loaded from elsewhere.

Not promised: that a page is of one instant; numbers of thousands of instances may be a second old.

Source: Netflix Eureka's and Spring Cloud's status pages (`/` and `/lastn`) for what people expect to find.

Not here: the same data for programs (`discovery.v1`).
"""
