"""What this instance last saw of keys: good enough to decide by, because a commit proves it or fails.

The last ones used are kept, up to `BYTES`. Nothing is ever answered from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cachetools import LRUCache

from caching.backends.etcd.table import Found

BYTES = 16 * 1024 * 1024
OVERHEAD = 200
"""What a key costs beside its bytes."""


class Memory(Mapping[bytes, Found | None]):
    def __init__(self) -> None:
        self._kept: LRUCache[bytes, tuple[bytes, Found | None]] = LRUCache(BYTES, getsizeof=_size)

    def saw(self, key: bytes, found: Found | None) -> None:
        self._kept.pop(key, None)
        if len(key) + (len(found.value) if found else 0) < BYTES // 16:
            self._kept[key] = key, found

    def forget(self, keys: Mapping[bytes, object]) -> None:
        for key in keys:
            self._kept.pop(key, None)

    def forget_all(self) -> None:
        self._kept.clear()

    def __getitem__(self, key: bytes) -> Found | None:
        return self._kept[key][1]

    def __contains__(self, key: object) -> bool:
        return key in self._kept

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


def _size(kept: tuple[bytes, Found | None]) -> int:
    key, found = kept
    return OVERHEAD + len(key) + (len(found.value) if found else 0)
