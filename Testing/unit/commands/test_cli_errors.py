"""Every mistake of a user: one line that says what to do, exit code 2, and no output folder."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from small_models import ball_model, balls

from mtann.cli import main
from mtann.models.bundle import CARD_FILE, WEIGHTS_FILE, save_bundle
from mtann.volume_io import write_volume


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.nii.gz"
    write_volume(balls(7).volume, path)
    return path


def refused(capsys, *arguments) -> str:
    """Run a command that must fail as a user's error; returns its one line."""
    assert main([str(argument) for argument in arguments]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


def array_image(path, array):
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


def missing(folder):
    return folder / "none.nii.gz"


def text(folder):
    path = folder / "text.nii.gz"
    path.write_text("this is no image")
    return path


def truncated(folder):
    path = array_image(folder / "cut.nrrd", np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32))
    path.write_bytes(path.read_bytes()[:9000])
    return path


def four_dimensional(folder):
    image = sitk.JoinSeries([sitk.Image(5, 5, 5, sitk.sitkFloat32)] * 3)
    sitk.WriteImage(image, str(folder / "four.nii.gz"))
    return folder / "four.nii.gz"


def colour(folder):
    sitk.WriteImage(sitk.Image([5, 5, 5], sitk.sitkVectorUInt8, 3), str(folder / "rgb.nrrd"))
    return folder / "rgb.nrrd"


def not_a_number(folder):
    array = np.ones((9, 9, 9), dtype=np.float32)
    array[4, 4, 4] = np.nan
    return array_image(folder / "nan.nii.gz", array)


def infinite(folder):
    array = np.ones((9, 9, 9), dtype=np.float32)
    array[4, 4, 4] = np.inf
    return array_image(folder / "inf.nii.gz", array)


def all_zero(folder):
    return array_image(folder / "zero.nii.gz", np.zeros((9, 9, 9), dtype=np.float32))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (missing, "no image"),
        (text, "not a complete NIfTI"),
        (truncated, "cannot be read"),
        (four_dimensional, "4 dimensions"),
        (colour, "3 values a voxel"),
        (not_a_number, "not finite"),
        (infinite, "not finite"),
        (all_zero, "every voxel"),
    ],
)
def test_images_that_cannot_be_used(make, says, model, tmp_path, capsys):
    assert says in refused(capsys, "detect", make(tmp_path), "--model", model, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_channel_elsewhere_and_a_wrong_number_of_channels(image, tmp_path, capsys):
    two = tmp_path / "two"
    save_bundle(ball_model(channels=2), two)
    volume = balls(7).volume
    far = tmp_path / "far.nii.gz"
    write_volume(replace(volume, geometry=replace(volume.geometry, origin_lps_mm=(900.0, 0.0, 0.0))), far)
    out = tmp_path / "out"
    assert "does not overlap" in refused(capsys, "detect", image, far, "--model", two, "--output", out)
    assert "2 channel(s)" in refused(capsys, "detect", image, "--model", two, "--output", out)
    assert "t1c, flair" in refused(capsys, "detect", "--channel", f"t1c={image}", "--model", two, "--output", out)
    assert "NAME=IMAGE" in refused(capsys, "detect", "--channel", str(image), "--model", two, "--output", out)
    assert not out.exists()


def test_a_damaged_newer_or_unknown_model(model, image, tmp_path, capsys):
    out = tmp_path / "out"
    for name, change in ((WEIGHTS_FILE, -1), (CARD_FILE, 30)):
        bad = tmp_path / f"bad-{name}"
        shutil.copytree(model, bad)
        data = bytearray((bad / name).read_bytes())
        data[change] ^= 1
        (bad / name).write_bytes(bytes(data))
        assert "again" in refused(capsys, "detect", image, "--model", bad, "--output", out)
    newer = tmp_path / "newer"
    shutil.copytree(model, newer)
    document = json.loads((newer / CARD_FILE).read_text())
    (newer / CARD_FILE).write_text(json.dumps({**document, "schema_version": 99}))
    assert "Update MTANNDetect" in refused(capsys, "detect", image, "--model", newer, "--output", out)
    assert "no model 'nothing'" in refused(capsys, "detect", image, "--model", "nothing", "--output", out)
    assert not out.exists()


def test_settings_out_of_range(model, image, tmp_path, capsys):
    out = tmp_path / "out"
    assert "outline_fraction" in refused(
        capsys, "detect", image, "--model", model, "--output", out, "--outline-fraction", 2
    )
    assert "operating point 'strict'" in refused(
        capsys, "detect", image, "--model", model, "--output", out, "--operating-point", "strict"
    )
    assert "threshold" in refused(capsys, "detect", image, "--model", model, "--output", out, "--threshold", "nan")
    assert not out.exists()


def test_an_output_that_is_not_a_former_result_is_left_alone(model, image, tmp_path, capsys):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.txt").write_text("mine")
    assert "notes" in refused(capsys, "detect", image, "--model", model, "--output", tmp_path / "notes")
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["thesis.txt"]


def test_an_output_that_cannot_be_written(model, image, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("a file")
    line = refused(capsys, "detect", image, "--model", model, "--output", tmp_path / "file" / "out")
    assert "file" in line
    closed = tmp_path / "closed"
    closed.mkdir()
    # Tests may run as root, who may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode, **_: str(path) != str(closed) or mode == os.R_OK)
    refused(capsys, "detect", image, "--model", model, "--output", closed / "out")
    assert list(closed.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX facility")
def test_a_full_disk(model, image, tmp_path):
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "from mtann.cli import main\n"
        "sys.exit(main(['detect', *sys.argv[1:]]))\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", program, str(image), "--model", str(model), "--output", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert sum("error" in line for line in done.stderr.splitlines()) == 1, done.stderr
    assert "disk" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("image")] == []


HEADER = "case,patient,t1c,lesions\n"


@pytest.mark.parametrize(
    ("table", "lesions", "says"),
    [
        (
            "case,t1c,lesions\na,image.nii.gz,l.csv\n",
            "x_lps_mm,y_lps_mm,z_lps_mm\n0,22,15\n",
            "lacks the column(s) patient",
        ),
        ("case,patient,t1c\na,p,image.nii.gz\n", "", "lacks the column(s) lesions"),
        (HEADER + "a,p,image.nii.gz,l.csv\n", "x,y,z\n0,22,15\n", "coordinate system"),
        (HEADER + "a,p,image.nii.gz,l.csv\n", "x_lps_mm,y_lps_mm,z_lps_mm\n0,22,900\n", "outside the image"),
        (HEADER + "a,p,image.nii.gz,l.csv\n", "x_lps_mm,y_lps_mm,z_lps_mm\n", "no lesion at all"),
        (HEADER + "a,p,gone.nii.gz,l.csv\n", "x_lps_mm,y_lps_mm,z_lps_mm\n0,22,15\n", "no column with images"),
    ],
)
def test_lists_and_lesions_that_cannot_be_used(table, lesions, says, image, tmp_path, capsys):
    (tmp_path / "cases.csv").write_text(table)
    (tmp_path / "l.csv").write_text(lesions)
    assert says in refused(capsys, "train", "mtann", "--cases", tmp_path / "cases.csv", "--output", tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--preprocess", "t2=n4"], "channel 't2', which there is not. The channels are: t1c"),
        (["--normalisation", "t2=window:lung"], "channel 't2', which there is not"),
        (["--preprocess", "t1c=sharpen"], "no preprocessing step 'sharpen'. Use one of: n4"),
        (["--normalisation", "t1c=window:spleen"], "no CT window 'spleen'"),
    ],
)
def test_preprocessing_that_there_is_not_is_told_before_images_are_read(
    options, says, image, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("mtann.commands.train.load_training_case", lambda *_: pytest.fail("images were read"))
    (tmp_path / "cases.csv").write_text(HEADER + "a,p,image.nii.gz,l.csv\n")
    (tmp_path / "l.csv").write_text("x_lps_mm,y_lps_mm,z_lps_mm\n0,22,15\n")
    command = ["train", "mtann", "--cases", tmp_path / "cases.csv", "--output", tmp_path / "model", *options]
    assert says in refused(capsys, *command)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--explain", "0"), "most_candidates"),
        (("--explain", "--occlusion-cube-mm", "-1"), "cube_mm"),
        (("--occlusion-cube-mm", "3"), "Add --explain"),
    ],
)
def test_an_explanation_that_cannot_be_made(options, says, model, image, tmp_path, capsys):
    assert says in refused(capsys, "detect", image, "--model", model, "--output", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()
