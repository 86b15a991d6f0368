"""Folders of static definitions: what is read, what is kept when something is wrong, what goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from discovery.zowe.files import Scan, scan


def write(path: Path, service: str, ns: int | None = None) -> Path:
    """A definition, changed at that time."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"services: [{{serviceId: {service}, instanceBaseUrls: ['http://h.test:1']}}]")
    if ns is not None:
        os.utime(path, ns=(ns, ns))
    return path


def services(of: Scan) -> list[str]:
    return [each.registration.service for file in of.files.values() for each in file.good.instances]


def refusals(of: Scan) -> list[str]:
    return [str(each) for each in of.refusals] + [str(file.refusal) for file in of.files.values() if file.refusal]


def spoil(path: Path) -> str:
    """How it is refused from now on."""
    path.write_text("services:\n- bad")
    return f'{path}:2: services[0]: "bad", expected keys and values'


def loop(path: Path) -> None:
    """What can be neither read nor listed, by anybody."""
    path.symlink_to(path)


def test_files_are_read_folder_by_folder_and_by_name(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for path, service in ((b / "1.yml", "third"), (a / "2.yml", "second"), (a / "1.yml", "first")):
        write(path, service)
    for name in ("0.yaml", "0.yml.old", "0.txt"):
        write(a / name, "other")
    (a / "3.yml").mkdir()
    os.mkfifo(a / "4.yml")
    (a / "5.yml").symlink_to("nowhere")
    found = scan([a, b], Scan())
    assert services(found) == ["first", "second", "third"]
    assert refusals(found) == []


def test_only_what_has_changed_is_read_unless_all_is_to_be(tmp_path: Path) -> None:
    path = write(tmp_path / "1.yml", "stock", ns=1)
    first = scan([tmp_path], Scan())
    write(path, "stack", ns=1)
    assert services(scan([tmp_path], first)) == ["stock"]
    assert services(scan([tmp_path], first, anew=True)) == ["stack"]
    write(path, "stack", ns=2)
    assert services(scan([tmp_path], first)) == ["stack"]


def test_a_file_that_has_become_bad_keeps_what_it_said(tmp_path: Path) -> None:
    path = write(tmp_path / "1.yml", "stock")
    first = scan([tmp_path], Scan())
    says = spoil(path)
    bad = scan([tmp_path], first)
    assert (services(bad), refusals(bad)) == (["stock"], [says])
    again = scan([tmp_path], bad)
    assert again == bad
    write(path, "mended")
    mended = scan([tmp_path], again)
    assert (services(mended), refusals(mended)) == (["mended"], [])


def test_a_file_that_was_never_good_says_nothing_and_its_neighbour_does(tmp_path: Path) -> None:
    says = spoil(tmp_path / "1.yml")
    write(tmp_path / "2.yml", "stock")
    found = scan([tmp_path], Scan())
    assert (services(found), refusals(found)) == (["stock"], [says])


def test_a_file_that_cannot_be_read_now_keeps_what_it_said(tmp_path: Path) -> None:
    path = write(tmp_path / "1.yml", "stock")
    first = scan([tmp_path], Scan())
    path.unlink()
    loop(path)
    lost = scan([tmp_path], first)
    assert services(lost) == ["stock"]
    assert refusals(lost) == [f"{path}: cannot be read: Too many levels of symbolic links"]
    path.unlink()
    write(path, "stock")
    assert refusals(scan([tmp_path], lost)) == []


def test_a_file_that_is_gone_is_gone(tmp_path: Path) -> None:
    path = write(tmp_path / "1.yml", "stock")
    first = scan([tmp_path], Scan())
    path.unlink()
    assert scan([tmp_path], first) == Scan()


def test_a_folder_that_cannot_be_listed_now_keeps_its_files_and_no_others(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    write(a / "1.yml", "stock")
    other = write(b / "1.yml", "other")
    first = scan([a, b], Scan())
    a.rename(tmp_path / "c")
    loop(a)
    other.unlink()
    lost = scan([a, b], first)
    assert services(lost) == ["stock"]
    assert refusals(lost) == [f"{a}: cannot be read: Too many levels of symbolic links"]
    assert [each.kind for each in lost.refusals] == ["folder"]


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_is_not_there_is_said_unless_it_need_not_be(there: bool, tmp_path: Path) -> None:
    folder = tmp_path / "defs"
    if there:
        folder.write_text("a file")
    says = f"{folder}: cannot be read: {'Not a directory' if there else 'No such file or directory'}"
    found = scan([folder], Scan())
    assert (refusals(found), [each.kind for each in found.refusals]) == ([says], ["no folder"])
    assert scan([folder], Scan(), optional=True) == Scan()


def test_a_folder_that_has_gone_takes_its_files_along(tmp_path: Path) -> None:
    folder = tmp_path / "defs"
    path = write(folder / "1.yml", "stock")
    first = scan([folder], Scan(), optional=True)
    assert services(first) == ["stock"]
    path.unlink()
    folder.rmdir()
    assert scan([folder], first, optional=True) == Scan()
