"""A session that outlives an LPAR: start it beside `make up`, then `plexmesh kill LPAR1`, start it, kill LPAR2, ...

It counts on. The session is in the cache, whatever instance or gateway answers.
"""

import asyncio

import plexmesh


async def main() -> None:
    async with plexmesh.Cache("shop") as cache:
        while True:
            await cache.update("session of ada", lambda visits: str(int(visits or b"0") + 1), ttl_s=3600)
            session = await cache.get("session of ada")
            print("visits:", session.value.decode() if session else "none", flush=True)
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(main())
