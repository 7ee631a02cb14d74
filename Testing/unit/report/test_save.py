"""A whole result in a folder: six files or none, and nothing of the patient or the machine in any of them."""

import gzip
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtann.detection.candidate import InputReference
from mtann.errors import OutputError
from mtann.report import save
from mtann.report.documents import read_candidates
from mtann.report.save import RESULT_FOLDER, save_result
from mtann.volume_io import read_volume
from unit.grids import turned
from unit.report.results import SPHERES, centred, make_result

SMALL = centred((30, 40, 36), (4.0, 4.0, 4.0), turned(20, 0, 0))
IMAGE, RESULT = make_result(SMALL, SPHERES[:2])
FILES = ["candidates.csv", "candidates.json", "candidates.nii.gz", "likelihood.nii.gz", "overlay.png", "report.html"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_six_files_that_say_what_was_found(tmp_path: Path) -> None:
    save_result(RESULT, IMAGE, tmp_path / "run", "Test use")
    files = contents(tmp_path / "run")
    assert list(files) == FILES == sorted(RESULT_FOLDER.patterns[:6])
    assert [path.name for path in tmp_path.iterdir()] == ["run"]

    likelihood = read_volume(tmp_path / "run" / "likelihood.nii.gz")
    assert likelihood.array.dtype == np.float32
    np.testing.assert_array_equal(likelihood.array, RESULT.likelihood.array)
    assert likelihood.geometry.matches(SMALL)
    labels = read_volume(tmp_path / "run" / "candidates.nii.gz")
    np.testing.assert_array_equal(labels.array, RESULT.candidate_map.array)
    assert read_candidates(tmp_path / "run" / "candidates.json") == RESULT.candidates
    assert files["candidates.csv"].count(b"\n") == 3
    assert files["overlay.png"].startswith(b"\x89PNG")
    assert b"Test use" in files["report.html"]


def test_running_again_replaces_with_equal_bytes(tmp_path: Path) -> None:
    save_result(RESULT, IMAGE, tmp_path / "run")
    first = contents(tmp_path / "run")
    save_result(RESULT, IMAGE, tmp_path / "run")
    assert contents(tmp_path / "run") == first
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_no_candidate_is_a_result(tmp_path: Path) -> None:
    image, result = make_result(SMALL, ())
    save_result(result, image, tmp_path / "run")
    assert read_candidates(tmp_path / "run" / "candidates.json") == ()
    assert (tmp_path / "run" / "candidates.csv").read_text().count("\n") == 1
    assert not read_volume(tmp_path / "run" / "candidates.nii.gz").array.any()


@pytest.mark.parametrize("step", ["write_volume", "draw_overlay", "html_text"])
def test_a_failure_at_any_file_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_: object) -> None:
        raise OutputError("full")

    monkeypatch.setattr(save, step, fail)
    with pytest.raises(OutputError, match="full"):
        save_result(RESULT, IMAGE, tmp_path / "new" / "run")
    assert list(tmp_path.iterdir()) == []


def test_the_users_own_files_protect_a_folder(tmp_path: Path) -> None:
    save_result(RESULT, IMAGE, tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"not a former detection result \(it holds 'notes\.txt'\)"):
        save_result(RESULT, IMAGE, tmp_path / "run")
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_no_path_of_patient_or_machine_in_any_file(tmp_path: Path) -> None:
    folder = tmp_path / "DOE^JANE"
    inputs = (
        InputReference("t1c", str(folder / "scan.nii.gz"), "cd" * 32),
        InputReference("t2", "C:\\DOE^JANE\\b.nii", ""),
    )
    save_result(replace(RESULT, inputs=inputs), replace(IMAGE, name="scan.nii.gz"), folder / "run")
    for name, content in contents(folder / "run").items():
        plain = gzip.decompress(content) if name.endswith(".gz") else content
        for secret in (b"DOE^JANE", str(tmp_path).encode(), str(Path.home()).encode() + b"/", b"partial-"):
            assert secret not in plain, (name, secret)


def test_importing_the_report_loads_no_torch_and_no_pyplot() -> None:
    code = "import sys, mtann.report.save; print(sorted({'torch', 'matplotlib.pyplot'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout == "[]\n"


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
