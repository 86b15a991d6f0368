"""Which of several processes registers. Two `Workers` of one test lock each other out as two processes do."""

from __future__ import annotations

import itertools
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from plexmesh.workers import Unsafe, Workers

REGISTRY = ["http://192.0.2.1:7553"]


def workers(folder: Path, count: int, id: str = "h:orders:9000") -> list[Workers]:
    made = [Workers(folder, id, REGISTRY) for _ in range(count)]
    assert all(each.join() for each in made)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_one_registers(folder: Path) -> None:
    assert [each.take_turn() for each in workers(folder, 4)] == [True, False, False, False]


def test_the_turn_is_kept(folder: Path) -> None:
    first, second = workers(folder, 2)
    assert first.take_turn()
    assert first.take_turn()
    assert not second.take_turn()


def test_another_takes_over_from_one_that_left(folder: Path) -> None:
    first, second = workers(folder, 2)
    first.take_turn()
    assert not first.leave()
    assert not second.take_turn()
    first.close()
    assert second.take_turn()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_exactly_the_last_one_leaving_is_last(folder: Path, order: tuple[int, ...]) -> None:
    made = workers(folder, 3)
    made[0].take_turn()
    assert [made[each].leave() for each in order] == [False, False, True]
    for each in made:
        each.close()


def test_nothing_is_left_behind_by_the_last_one(folder: Path) -> None:
    made = workers(folder, 2)
    for each in made:
        each.take_turn()
        each.leave()
        each.close()
    assert list(folder.iterdir()) == []


def test_nobody_joins_while_the_last_one_deregisters(folder: Path) -> None:
    (last,) = workers(folder, 1)
    assert last.leave()
    late = Workers(folder, "h:orders:9000", REGISTRY)
    assert not late.join()
    last.close()
    assert late.join()
    assert late.take_turn()


def test_a_lock_on_a_file_that_was_removed_does_not_count(folder: Path) -> None:
    first, last = workers(folder, 2)
    first.leave()
    (folder / next(folder.glob("*.present")).name).unlink()
    late = Workers(folder, "h:orders:9000", REGISTRY)
    assert last.leave()
    assert late.join()
    last.close()
    assert [path.suffix for path in folder.iterdir()] == [".present"], "it is the late one's"
    assert late.leave()


def test_other_instances_and_other_registries_are_others(folder: Path) -> None:
    kinds = [("h:orders:9000", REGISTRY), ("h:orders:9001", REGISTRY), ("h:orders:9000", ["http://192.0.2.2:7553"])]
    made = [Workers(folder, id, registry) for id, registry in kinds]
    assert all(each.join() and each.take_turn() for each in made)
    assert all(each.leave() for each in made)


def test_ids_of_any_form_and_length(folder: Path) -> None:
    first, second = workers(folder, 2, id="../" + "ä/" * 300)
    assert first.take_turn()
    assert not second.take_turn()
    assert all(path.parent == folder for path in folder.iterdir())


def test_the_folder_and_its_files_are_the_users_own(folder: Path) -> None:
    (one,) = workers(folder, 1)
    one.take_turn()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_folder_others_can_write_to_is_refused(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(Unsafe):
        Workers(folder, "a", REGISTRY).join()


def test_a_link_instead_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unsafe):
        Workers(folder, "a", REGISTRY).join()


PARENT = """
import os, sys
from pathlib import Path
from plexmesh.workers import Workers
one = Workers(Path(sys.argv[1]), "h:orders:9000", ["http://192.0.2.1:7553"])
assert one.join() and one.take_turn()
if os.fork() == 0:
    print("forked", flush=True)
    sys.stdin.read()  # lives until the test has seen what it wants to see
else:
    os.wait()
"""


def test_a_forked_child_does_not_keep_the_lock_of_a_killed_parent(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"forked\n"
        (other,) = workers(folder, 1)
        assert not other.take_turn()
        parent.kill()
        parent.wait()
        assert other.take_turn()
        assert other.leave()
