"""Login: who a user is, said by one gateway and believed by all of them.

    login ──► guard ──► provider ──► a token, signed with the newest key of the shared volume
    token ──► signature, issuer, time (`tokens`) ──► revoked? (`revocations`, the caching service) ──► `Verdict`
    call of a service with the scheme zoweJwt ──► `table` ── asks the parent ──► `passing`: what the service is sent

    core     tokens: what a token says, and whether it is good; ring: the keys; guard: who must wait before he tries
             again; credentials: what a request shows; users: the user file's content; verdict: what is found of a
             token; passing: what a service is sent
    shell    keys: the keys' files; user_file: the user file; revocations; passwords; providers/; service: all of it
             table: what a data path remembers, and asks the parent
    pages    api: /gateway/api/v1/auth/…; messages: their errors; commands: `plexmesh users`, `plexmesh login`

Invariants:

- A token made by one gateway is good at all others, as long as they see the same volume, whoever else is gone.
- A logout that was answered 204 is stored in the caching service; half a second later no gateway takes the token.
- What cannot be asked is not taken: without the caching service no token is valid.
- No password and no token is ever in a log, an event, a metric or an error.
- All of this is in a gateway's parent; what a worker needs to know it asks there.

It does not promise that a store which loses acknowledged writes (Redis in a failover, `inMemory`) keeps revocations,
nor that ten thousand names tried in turn are all remembered by the guard, which each gateway has for itself.

Sources: RFC 7515, 7517, 7519, 7638 (tokens and keys), RFC 8725 (what goes wrong with them), RFC 9106 (Argon2), RFC 6265
(cookies); Zowe API Mediation Layer, its authentication endpoints.
"""
