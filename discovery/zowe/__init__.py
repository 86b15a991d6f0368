"""Zowe's side of discovery: what its discovery service does beyond being a Eureka server.

    files (*.yml) ──definitions──▶ instances ──▶ registered and renewed by this node itself
                                   rules     ──▶ added to services that register themselves
    registration from a client ──onboarding──▶ the same in today's words

- `translation`, `additional`, `prefix`, put together by `onboarding`: what becomes of a registration that comes from a
  client. One that another Eureka server passes on has been through this already.
- `definitions` (over `tree`, `shapes`, `base_url`, `instance`, and `collection` for all files): a file of static
  definitions as instances and rules, or a `refusal` that names the file, the line, the property and what was expected.
- `files`, `static`, `api`: the shell that reads, registers, renews, and tells.

A file that cannot be understood does not change what was served from it before. Nothing is promised about the health of
a static service: it is there for as long as its file is, and a node that has read it.

Source: Zowe API Mediation Layer, static onboarding and the discovery service's metadata.

Not here: Eureka's API (`discovery.eureka`), what the metadata means to a gateway (`gateway.routes`).
"""
