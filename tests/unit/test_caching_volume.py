"""Which file system a folder is on, and whether a data set may be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from caching.backends.volume import kind_at, refused

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /mnt rw - tmpfs tmpfs rw
31 30 0:27 / /mnt/share rw shared:4 master:1 - nfs4 server:/x rw
32 22 0:28 / /with\\040space rw - fuse.sshfs host:/ rw
33 22 0:29 / /twice rw - ext4 /dev/vdb rw
34 33 0:30 / /twice rw - overlay overlay rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/home/me", "ext4"),
        ("/mnt", "tmpfs"),
        ("/mnt/share/deep/down", "nfs4"),
        ("/mnt/shared", "tmpfs"),
        ("/with space/x", "fuse.sshfs"),
        ("/twice/x", "overlay"),
    ],
)
def test_the_nearest_and_last_mount_counts(folder: str, kind: str) -> None:
    assert kind_at(Path(folder), MOUNTS) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "9p", "fuse.sshfs", "fuseblk", "virtiofs", "cifs", "smb3"])
def test_refused_file_systems(kind: str) -> None:
    assert refused(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "unknown"])
def test_others(kind: str) -> None:
    assert not refused(kind)


def test_where_the_tests_run_is_known() -> None:
    assert kind_at(Path("/"), Path("/proc/self/mountinfo").read_text()) != "unknown"
