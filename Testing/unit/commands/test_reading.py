"""Reading ahead: what is read for whom, and when."""

import argparse
import threading
from pathlib import Path

import numpy as np
import pytest

from mtann.cases import CaseFiles
from mtann.commands import reading
from mtann.commands.reading import CaseReader
from mtann.errors import ImageError
from mtann.geometry import Geometry
from mtann.volume import Volume
from mtann.volume_io import write_volume


def image(path: Path, value: float) -> Path:
    write_volume(Volume(np.full((2, 3, 4), value, dtype=np.float32), Geometry((2, 3, 4), (1.0,) * 3, (0.0,) * 3)), path)
    return path


def given(**named: object) -> argparse.Namespace:
    return argparse.Namespace(**{"images": [], "channel": [], "mask": None, "series": None, **named})


@pytest.fixture
def cases(tmp_path):
    return [
        CaseFiles(
            name,
            name,
            {"a": image(tmp_path / f"{name}a.nii.gz", 10 * k), "b": image(tmp_path / f"{name}b.nii.gz", 10 * k + 1)},
            image(tmp_path / f"{name}m.nii.gz", 1) if k == 1 else None,
        )
        for k, name in enumerate(("one", "two", "three"))
    ]


@pytest.fixture
def asked(monkeypatch):
    """Which files were read, and by what thread."""
    names: list[tuple[str, int]] = []
    read = reading.read_volume

    def noted(path, series=None):
        names.append((path.name, threading.get_ident()))
        return read(path, series)

    monkeypatch.setattr(reading, "read_volume", noted)
    return names


def test_every_case_gets_its_own_images(cases):
    reader = CaseReader(given())
    reader.follow(cases)
    for number, case in enumerate(cases):
        volumes, mask = reader.read(case)
        assert {name: float(volume.array[0, 0, 0]) for name, volume in volumes.items()} == {
            "a": 10 * number,
            "b": 10 * number + 1,
        }
        assert (mask is not None) == (number == 1)


def test_the_next_case_is_begun_by_other_threads_and_read_once(cases, asked):
    reader = CaseReader(given())
    reader.follow(cases)
    reader.read(cases[0])
    reader._pool.shutdown(wait=True)
    assert [name for name, _ in asked] == ["onea.nii.gz", "oneb.nii.gz", "twoa.nii.gz", "twob.nii.gz", "twom.nii.gz"]
    assert threading.get_ident() not in {thread for _, thread in asked}


def test_images_given_by_themselves_are_begun_before_they_are_asked_for(cases, asked):
    files = cases[0].channels
    reader = CaseReader(given(images=[str(files["a"])], channel=[f"b={files['b']}"], mask=str(cases[1].mask)))
    reader._pool.shutdown(wait=True)
    assert {name for name, _ in asked} == {"onea.nii.gz", "oneb.nii.gz", "twom.nii.gz"}


def test_a_case_that_was_skipped_does_not_mix_with_the_next(cases):
    reader = CaseReader(given())
    reader.follow(cases)
    reader.read(cases[0])
    volumes, mask = reader.read(cases[2])
    assert float(volumes["b"].array[0, 0, 0]) == 21 and mask is None


def test_the_next_case_waits_where_images_are_large(cases, asked, monkeypatch):
    monkeypatch.setattr(reading, "_MOST_AHEAD_BYTES", 10)
    reader = CaseReader(given())
    reader.follow(cases)
    reader.read(cases[0])
    reader._pool.shutdown(wait=True)
    assert {name for name, _ in asked} == {"onea.nii.gz", "oneb.nii.gz"}


def test_what_cannot_be_read_is_told_for_its_own_case_only(cases):
    cases[1].channels["a"].write_bytes(b"nothing")
    reader = CaseReader(given())
    reader.follow(cases)
    reader.read(cases[0])
    with pytest.raises(ImageError, match="twoa"):
        reader.read(cases[1])
    assert float(reader.read(cases[2])[0]["a"].array[0, 0, 0]) == 20


def test_a_failure_is_not_kept_for_the_next_case(cases, monkeypatch):
    """Cases may share an image, such as a mask, and a network drive may fail once."""
    shared = cases[1].mask
    together = [CaseFiles(case.case, case.case, case.channels, shared) for case in cases]
    failures = ["the drive is gone"]
    read = reading.read_volume

    def failing(path, series=None):
        if path == shared and failures:
            raise ImageError(failures.pop())
        return read(path, series)

    monkeypatch.setattr(reading, "read_volume", failing)
    reader = CaseReader(given())
    reader.follow(together)
    with pytest.raises(ImageError, match="the drive is gone"):
        reader.read(together[0])
    assert reader.read(together[1])[1] is not None


def test_leaving_gives_up_what_waits_to_be_read(cases, monkeypatch):
    go_on, asked = threading.Event(), []

    def waiting(path, series=None):
        asked.append(path.name)
        go_on.wait(10)

    monkeypatch.setattr(reading, "read_volume", waiting)
    files = [str(file) for case in cases for file in case.channels.values()]
    with CaseReader(given(images=files)) as reader:
        pass
    go_on.set()
    reader._pool.shutdown(wait=True)
    assert len(asked) <= 2
