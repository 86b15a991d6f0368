"""Which file systems can carry the volume.

SQLite's write-ahead log is shared through memory mapped from a file, which works among processes of one kernel only:
over a network, 9p, FUSE or virtiofs each side would see a memory of its own, and acknowledged writes would be lost.
Overlay file systems keep it working as long as all instances see the same upper layer; that is said, not refused.

Source: SQLite, "Write-Ahead Logging": all processes must be on the same host.
"""

from __future__ import annotations

import re
from pathlib import Path

from shared.errors import ConfigError

NETWORK = frozenset(
    {"afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "orangefs", "smb3", "smbfs"}
)
OF_A_HOST = frozenset({"9p", "drvfs", "fakeowner", "fuseblk", "prl_fs", "vboxsf", "virtiofs", "vmhgfs"})
"""Shown to a virtual machine or a container by the machine around it."""
TRUSTED = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "ramfs", "tmpfs", "xfs", "zfs"})

MOUNTS = Path("/proc/self/mountinfo")


def remark(folder: Path) -> str | None:
    """What to warn about; raises ConfigError where the log is not safe."""
    kind = kind_at(folder.resolve(), MOUNTS.read_text())
    if refused(kind):
        raise ConfigError(
            f"{folder}: a data set cannot be on a {kind} file system: its log is shared memory, which works on one "
            "machine's own disk only; choose another folder with --data"
        )
    if kind not in TRUSTED:
        return f"{folder} is on {kind}: every instance has to see the very same files there"
    return None


def refused(kind: str) -> bool:
    return kind in NETWORK or kind in OF_A_HOST or kind.startswith("fuse.")


def kind_at(folder: Path, mountinfo: str) -> str:
    """The file system type of an absolute path, by proc(5)'s mountinfo; of mounts on one point, the last."""
    found, depth = "unknown", -1
    for line in mountinfo.splitlines():
        before, _, behind = line.partition(" - ")
        point = Path(_unescaped(before.split(" ")[4]))
        if folder.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = behind.split(" ")[0], len(point.parts)
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
