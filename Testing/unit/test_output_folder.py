"""Result folders: swapped in whole or not at all, and nobody's own files ever replaced."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mtann import output_folder
from mtann.errors import CancelledError, OutputError
from mtann.output_folder import check_output, recover_folder, replace_folder
from unit.output_folders import FILES, KIND, content_of, fill, make, names, start_script


def test_writes_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "new" / "run"
    for content in ("first", "second", "third"):
        with replace_folder(target, KIND) as work:
            assert work.parent == target.parent
            assert work.name.startswith(f".run.partial-{os.getpid()}-")
            fill(work, content)
        assert content_of(target) == content
        assert names(target.parent) == ["run"]


@pytest.mark.parametrize("clutter", [(), (".DS_Store",)])
def test_existing_empty_folder_is_filled(tmp_path: Path, clutter: tuple[str, ...]) -> None:
    target = tmp_path / "run"
    target.mkdir()
    for name in clutter:
        (target / name).touch()
    with replace_folder(target, KIND) as work:
        fill(work, "new")
    assert content_of(target) == "new"
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("error", [CancelledError("stop"), KeyboardInterrupt(), ZeroDivisionError()])
def test_an_exception_leaves_everything_as_it_was(tmp_path: Path, error: BaseException) -> None:
    make(tmp_path / "run", "old")
    for target in (tmp_path / "run", tmp_path / "deep" / "new" / "run"):
        with pytest.raises(type(error)), replace_folder(target, KIND) as work:
            fill(work, "new")
            raise error
    assert content_of(tmp_path / "run") == "old"
    assert names(tmp_path) == ["run"]


def test_a_symbolic_link_is_kept(tmp_path: Path) -> None:
    real = tmp_path / "disk" / "real"
    real.parent.mkdir()
    link = tmp_path / "run"
    link.symlink_to(real, target_is_directory=True)
    for content in ("first", "second"):  # the link dangles at first
        with replace_folder(link, KIND) as work:
            fill(work, content)
        assert link.is_symlink()
        assert content_of(real) == content
        assert names(tmp_path / "disk") == ["real"]


def test_an_incomplete_or_unknown_folder_is_a_defect_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"has no 'marker\.json'"), replace_folder(tmp_path / "run", KIND) as work:
        (work / "a.nii.gz").touch()
    with pytest.raises(RuntimeError, match=r"holds 'extra\.txt'"), replace_folder(tmp_path / "run", KIND) as work:
        fill(work, "new")
        (work / "extra.txt").touch()
    assert names(tmp_path) == []


# What is not a former result.


def _user_file(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def _sub_folder(folder: Path) -> None:
    (folder / "c.nii.gz").mkdir()


def _no_marker(folder: Path) -> None:
    (folder / "marker.json").unlink()


def _other_marker(folder: Path) -> None:
    (folder / "marker.json").write_text('{"schema_version": 1}')


def _damaged_marker(folder: Path) -> None:
    (folder / "marker.json").write_text('{"schema_version": 1, "thi')


def _linked_file(folder: Path) -> None:
    (folder / "c.nii.gz").symlink_to(folder / "a.nii.gz")


FOREIGN = [
    (_user_file, "it holds 'notes.txt'"),
    (_sub_folder, "it holds 'c.nii.gz'"),
    (_no_marker, "it has no 'marker.json'"),
    (_other_marker, "'marker.json' is not one of ours"),
    (_damaged_marker, "'marker.json' is not one of ours, or damaged"),
    (_linked_file, "it holds 'c.nii.gz'"),
]


@pytest.mark.parametrize("place", ["run", "run.previous"])
@pytest.mark.parametrize(("spoil", "reason"), FOREIGN)
def test_a_folder_that_is_not_a_former_result_is_never_touched(
    tmp_path: Path, place: str, spoil: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "run", "old")
    make(tmp_path / place, "old") if place != "run" else None
    spoil(tmp_path / place)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for attempt in (check_output, recover_folder, lambda *where: replace_folder(*where).__enter__()):
        with pytest.raises(OutputError) as caught:
            attempt(tmp_path / "run", KIND)
        message = str(caught.value)
        assert f"{place}' is not a former test result (" in message
        assert reason in message
        assert "Choose another output folder." in message
        assert "\n" not in message
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_files_put_there_during_the_run_are_kept(tmp_path: Path) -> None:
    make(tmp_path / "run", "old")
    with pytest.raises(OutputError, match=r"notes\.txt"), replace_folder(tmp_path / "run", KIND) as work:
        fill(work, "new")
        _user_file(tmp_path / "run")
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == [*FILES, "notes.txt"]


def test_places_where_no_folder_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "here").mkdir()
    (tmp_path / "closed").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    real_access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "closed" not in str(path) and real_access(path, mode))
    before = sorted(tmp_path.rglob("*"))
    refused = {
        tmp_path / "file": "is a file",
        tmp_path / "file" / "run": "cannot be",  # "is a file" or "Not a directory", as the system says it
        tmp_path / "loop": "loop|link|is a file",
        Path(): "current folder",
        Path("/"): "mount point",
        tmp_path / "closed" / "run": "not writable",
        tmp_path / "closed" / "deep" / "run": "not writable",
    }
    for place, reason in refused.items():
        for attempt in (check_output, lambda *where: replace_folder(*where).__enter__()):
            with pytest.raises(OutputError, match=reason) as caught:
                attempt(place, KIND)
            assert "hoose another output folder" in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_checking_creates_nothing(tmp_path: Path) -> None:
    check_output(tmp_path / "new" / "run", KIND)
    assert names(tmp_path) == []
    make(tmp_path / "run.previous", "old")
    check_output(tmp_path / "run", KIND)
    assert names(tmp_path) == ["run.previous"]


# A full disk, and other refusals of the file system.


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="file size limits are a matter of POSIX")
def test_a_file_that_finds_no_room(tmp_path: Path) -> None:
    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    with start_script("", tmp_path / "run", 200_000, preexec_fn=limit) as process:
        _, errors = process.communicate(timeout=60)
    last = errors.strip().splitlines()[-1]
    assert last.startswith(f"mtann.errors.OutputError: There is no room left to write '{tmp_path / 'run'}'")
    assert "free space or choose another output folder" in last
    assert names(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("where", ["block", "sync"])
def test_a_full_disk_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, where: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    make(tmp_path / "run", "old")
    if where == "sync":
        monkeypatch.setattr(output_folder, "_sync", refuse)
    with pytest.raises(OutputError) as caught, replace_folder(tmp_path / "run", KIND) as work:
        fill(work, "new")
        if where == "block":
            refuse()
    assert str(caught.value).startswith(f"There is no room left to write '{tmp_path / 'run'}'")
    assert "\n" not in str(caught.value)
    assert content_of(tmp_path / "run") == "old"
    assert names(tmp_path) == ["run"]


def test_a_refused_swap_brings_the_former_result_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "run", "old")
    real = Path.rename

    def rename(self: Path, new: Path) -> Path:
        if ".partial-" in self.name and new.name == "run":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return real(self, new)

    monkeypatch.setattr(Path, "rename", rename)
    refused = pytest.raises(OutputError, match=r"cannot be written \(Permission denied\)")
    with refused, replace_folder(tmp_path / "run", KIND) as work:
        fill(work, "new")
    assert content_of(tmp_path / "run") == "old"
    assert names(tmp_path) == ["run"]


def test_errors_name_the_folder_that_the_user_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, replace_folder(tmp_path / "run", KIND) as work:
        raise OutputError(f"'a.nii.gz' could not be written to '{work}'.")
    assert str(caught.value) == f"'a.nii.gz' could not be written to '{tmp_path / 'run'}'."


def test_errors_about_files_elsewhere_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replace_folder(tmp_path / "run", KIND):
        (tmp_path / "input.txt").read_text()
    assert names(tmp_path) == []
