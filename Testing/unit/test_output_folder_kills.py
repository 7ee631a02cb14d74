"""A kill at any moment leaves a complete result, and the next run recovers."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mtann.output_folder import recover_folder, replace_folder
from unit.output_folders import KIND, content_of, fill, make, names, names_or_none, start_script

UNUSED_PROCESS = 2**22 + 1  # above the largest process number of Linux


class Killed(BaseException):
    """Stands for the end of the process: from then on, it does nothing to the disk."""


class FileSystemWatch:
    """Counts what this process asks of the disk (Python's audit events), and kills it before the n-th request."""

    EVENTS = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "os.listdir"})

    def __init__(self) -> None:
        self.armed = False
        self.count = 0
        self.kill_at: int | None = None
        sys.addaudithook(self._see)

    def _see(self, event: str, _arguments: tuple[object, ...]) -> None:
        if self.armed and event in self.EVENTS:
            self.count += 1
            if self.kill_at is not None and self.count >= self.kill_at:
                raise Killed

    @contextmanager
    def watch(self, kill_at: int | None = None) -> Iterator[None]:
        self.armed, self.count, self.kill_at = True, 0, kill_at
        try:
            yield
        finally:
            self.armed = False


@pytest.fixture(scope="module")
def disk() -> FileSystemWatch:
    return FileSystemWatch()  # an audit hook cannot be taken away again, so there is one


def _with_nothing(folder: Path) -> None:
    folder.mkdir()


def _with_a_former_result(folder: Path) -> None:
    make(folder / "run", "old")


def _with_an_interrupted_swap(folder: Path) -> None:
    make(folder / "run.previous", "old")
    make(folder / f".run.partial-{UNUSED_PROCESS}-0123abcd", "lost")


def _with_an_undeleted_former_result(folder: Path) -> None:
    make(folder / "run", "old")
    make(folder / "run.previous", "older")


def _with_an_empty_folder_after_an_interrupted_swap(folder: Path) -> None:
    make(folder / "run.previous", "old")
    (folder / "run").mkdir()


START = [
    (_with_nothing, None),
    (_with_a_former_result, "old"),
    (_with_an_interrupted_swap, "old"),
    (_with_an_undeleted_former_result, "old"),
    (_with_an_empty_folder_after_an_interrupted_swap, "old"),
]


@pytest.mark.parametrize(("prepare", "old"), START)
def test_a_kill_at_any_moment_leaves_a_complete_result(
    tmp_path: Path, disk: FileSystemWatch, prepare: Callable[[Path], None], old: str | None
) -> None:
    def run(folder: Path, kill_at: int | None) -> None:
        with disk.watch(kill_at), replace_folder(folder / "run", KIND) as work:
            fill(work, "new")

    prepare(tmp_path / "whole")
    run(tmp_path / "whole", None)
    steps = disk.count
    assert steps > 10
    survivors = set()
    for step in range(1, steps + 1):
        folder = tmp_path / f"step{step}"
        prepare(folder)
        with pytest.raises(Killed):
            run(folder, step)

        previous = content_of(folder / "run.previous")
        current = content_of(folder / "run") if names_or_none(folder / "run") else None
        survivors.add((current, previous))
        assert old is None or (current or previous) in (old, "new"), f"killed before step {step}"

        recover_folder(folder / "run", KIND)
        assert (content_of(folder / "run") if names_or_none(folder / "run") else None) in (old, "new")
        assert names(folder) in (["run"], [])

        with replace_folder(folder / "run", KIND) as work:
            fill(work, "newer")
        assert content_of(folder / "run") == "newer"
        assert names(folder) == ["run"]
    assert ("new", None) in survivors
    if old:
        assert {(None, "old"), ("new", "old"), ("old", None)} <= survivors


def test_a_killed_process_leaves_the_former_result_and_its_rest_is_removed(tmp_path: Path) -> None:
    make(tmp_path / "run", "old")
    with start_script("print('writing', flush=True); time.sleep(60)", tmp_path / "run", 10) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        assert len(names(tmp_path)) == 2

        recover_folder(tmp_path / "run", KIND)  # a living process keeps its work folder
        assert len(names(tmp_path)) == 2
        process.kill()
    assert content_of(tmp_path / "run") == "old"
    recover_folder(tmp_path / "run", KIND)
    assert names(tmp_path) == ["run"]


def test_a_neighbour_with_a_similar_name_is_left_alone(tmp_path: Path) -> None:
    neighbours = [".run.partial-notes", f".run2.partial-{UNUSED_PROCESS}-0123abcd", ".run.partial"]
    for name in neighbours:
        (tmp_path / name).mkdir()
    with replace_folder(tmp_path / "run", KIND) as work:
        fill(work, "new")
    assert names(tmp_path) == sorted([*neighbours, "run"])
