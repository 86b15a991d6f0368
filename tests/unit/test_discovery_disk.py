"""The image on disk: what was written is read back, and whatever happened to the file is noticed."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery import disk
from discovery.image import FORMAT, Image, SavedSpace
from discovery.messages import Fact
from discovery.record import LEFT, UP, Record
from shared.errors import BadInput

RECORDS = [
    Record("orders", f"orders/{n}", n, n + 1, n + 1, UP, 30, b"\x81\xa1a" + bytes([n % 100])) for n in range(2500)
]
IMAGE = Image(
    FORMAT,
    "PLEX1",
    "LPAR1",
    7,
    [Fact("LPAR2@5", "http://127.0.2.1:7553", 3, "dead", ["LPAR1"])],
    {"LPAR3": 4},
    [
        SavedSpace("LPAR1@6", 2500, 3, -1.0, RECORDS),
        SavedSpace("LPAR2@5", 9, 0, 12.5, [Record("a", "a/1", 1, 2, 9, LEFT, 30, b"")]),
        SavedSpace("LPAR4@1", 0, 0, -1.0, []),
    ],
)
SMALL = Image(FORMAT, "PLEX1", "LPAR1", 7, [], {}, [SavedSpace("LPAR1@6", 3, 0, -1.0, RECORDS[:3])])


def written(image: Image, path: Path) -> bytes:
    async def save() -> None:
        assert await disk.SnapshotWriter(path).save(lambda: image)

    asyncio.run(save())
    return path.read_bytes()


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = disk.path_of(tmp_path, "LPAR1")
    written(IMAGE, path)
    assert disk.load(path, "PLEX1", "LPAR1") == IMAGE
    assert [each.name for each in path.parent.iterdir()] == ["registry.snapshot"]


texts = st.text(max_size=20)
numbers = st.integers(0, 2**63 - 1)
names = st.text(min_size=1, max_size=20)
records = st.builds(
    Record, names, names, numbers, numbers, numbers, st.integers(1, 18), numbers, st.binary(max_size=50)
)
spaces = st.builds(
    SavedSpace, texts, numbers, numbers, st.floats(-1, 1e6, allow_nan=False), st.lists(records, max_size=5)
)
facts = st.builds(Fact, texts, texts, numbers, st.sampled_from(["alive", "dead", "left"]), st.lists(texts, max_size=3))
images = st.builds(
    Image,
    st.just(FORMAT),
    texts,
    texts,
    numbers,
    st.lists(facts, max_size=3),
    st.dictionaries(texts, numbers, max_size=3),
    st.lists(spaces, max_size=4),
)


def whole(image: Image) -> bytes:
    rest = b"".join(disk.encode(image))
    return disk.HEAD.pack(disk.MAGIC, FORMAT, len(rest), hashlib.blake2b(rest, digest_size=32).digest()) + rest


@given(images)
def test_any_image_comes_back(image: Image) -> None:
    assert disk.decode(whole(image)) == image


def test_every_truncation_is_refused() -> None:
    data = whole(SMALL)
    for length in range(len(data)):
        with pytest.raises(BadInput):
            disk.decode(data[:length])


@given(st.data())
@settings(max_examples=300)
def test_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    raw = bytearray(whole(SMALL))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadInput):
        disk.decode(bytes(raw))


@given(st.binary(max_size=300))
def test_any_rest_with_a_right_checksum_is_an_image_or_refused(rest: bytes) -> None:
    head = disk.HEAD.pack(disk.MAGIC, FORMAT, len(rest), hashlib.blake2b(rest, digest_size=32).digest())
    with pytest.raises(BadInput):
        disk.decode(head + rest)


@pytest.mark.parametrize(
    ("sysplex", "node", "reason"),
    [
        ("PLEX2", "LPAR1", "of sysplex 'PLEX1', this node is in 'PLEX2'"),
        ("PLEX1", "LPAR2", "of node 'LPAR1', this is 'LPAR2'"),
    ],
)
def test_somebody_elses_is_refused_and_moved_aside(tmp_path: Path, sysplex: str, node: str, reason: str) -> None:
    path = tmp_path / "registry.snapshot"
    data = written(SMALL, path)
    with pytest.raises(BadInput, match=reason):
        disk.load(path, sysplex, node)
    assert disk.load(path, sysplex, node) is None
    assert (tmp_path / "registry.snapshot.refused").read_bytes() == data


def test_none_is_no_fault(tmp_path: Path) -> None:
    assert disk.load(tmp_path / "registry.snapshot", "PLEX1", "LPAR1") is None


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        disk.load(tmp_path, "PLEX1", "LPAR1")


async def test_only_what_is_new_is_written(tmp_path: Path) -> None:
    writer = disk.SnapshotWriter(tmp_path / "registry.snapshot")
    older = SavedSpace("LPAR2@5", 9, 0, 99.5, IMAGE.spaces[1].records)
    aged = Image(FORMAT, "PLEX1", "LPAR1", 7, IMAGE.facts, IMAGE.forgotten, [IMAGE.spaces[0], older, IMAGE.spaces[2]])
    moved = Image(FORMAT, "PLEX1", "LPAR1", 7, [], {}, [SavedSpace("LPAR1@6", 2501, 3, -1.0, RECORDS)])
    assert [await writer.save(lambda each=each: each) for each in (IMAGE, IMAGE, aged, moved)] == [
        True,
        False,
        False,
        True,
    ]


async def test_two_at_once_are_written_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "registry.snapshot"
    writer = disk.SnapshotWriter(path)
    assert await asyncio.gather(writer.save(lambda: IMAGE), writer.save(lambda: SMALL)) == [True, True]
    assert disk.load(path, "PLEX1", "LPAR1") == SMALL


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """In a process of its own, whose files may not grow beyond 64 kB."""
    path = tmp_path / "registry.snapshot"
    data = written(SMALL, path)
    child = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert child.stdout == "File too large\n", child.stderr
    assert path.read_bytes() == data
    assert [each.name for each in tmp_path.iterdir()] == ["registry.snapshot"]


FULL = f"""
import asyncio, resource, sys
from pathlib import Path
from discovery import disk
from tests.unit.test_discovery_disk import IMAGE
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, {resource.RLIM_INFINITY}))
try:
    asyncio.run(disk.SnapshotWriter(Path(sys.argv[1])).save(lambda: IMAGE))
except OSError as error:
    print(error.strerror)
"""
