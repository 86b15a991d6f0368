"""What a gateway of Zowe answers in its own name, for clients that were written for one.

    services        who is registered, as a client outside may call it         /gateway/services
    conformance     what a service should mend in its registration             /gateway/conformance/{id}
    registry        the same services in short, by domain                      /gateway/api/v1/registry
    health          what stands behind this gateway                            /application/health
    version, entry  which build this is, and what it registers of itself

All of it is read from one `Snapshot`: what the registry says, not what this gateway has found out about an instance
(`gateway.views` has that). `metadata` reads the flat keys of a registration, `address` knows how it looks from outside.

Not promised: in plain whoever reaches the gateway may ask; Zowe wants a login for most of it. Services of other domains
are not fetched from their gateways.

Source: Zowe API Mediation Layer, version 3: the gateway's own endpoints and its registration.
"""
