"""``mtann train enhancement`` and ``mtann enhance`` from outside."""

import json

import numpy as np
import pytest

from mtann.cli import main
from mtann.enhancement.enhance import compare, enhance
from mtann.models.bundle import save_bundle
from mtann.volume_io import read_volume, write_volume
from unit.enhancement.pictures import clean, denoiser, noisy, pair

QUICK = ["--steps", 20, "--voxels-per-case", 500, "--hidden", 8, "--levels", 2, "--folds", 2, "--device", "cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two cases with their list, and a model."""
    folder = tmp_path_factory.mktemp("enhance")
    rows = ["case,patient,xray,target"]
    for seed in (1, 2):
        case = pair(noisy(seed), clean(seed))
        write_volume(case.channels[0], folder / f"i{seed}.nii.gz")
        write_volume(case.target, folder / f"t{seed}.nii.gz")
        rows.append(f"c{seed},p{seed},i{seed}.nii.gz,t{seed}.nii.gz")
    (folder / "cases.csv").write_text("\n".join(rows))
    save_bundle(denoiser(), folder / "model")
    return folder


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_a_model_is_taught_from_a_list(folder, tmp_path, capsys):
    command = ["train", "enhancement", "--cases", folder / "cases.csv", "--output", tmp_path / "mine", *QUICK]
    assert run(*command, "--target-name", "soft", "--licence", "CC0-1.0", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["kind"], card["name"], card["target_name"]) == ("mtann_enhancement", "mine", "soft")
    assert (card["training"]["levels"], card["network"]["hidden"], card["network"]["dimensions"]) == (2, [8], 2)
    assert card["quality"]["cases"] == 2 and card["licence"] == "CC0-1.0"
    assert [channel["name"] for channel in card["inputs"]["channels"]] == ["xray"]
    assert run("models", "verify", tmp_path / "mine") == 0
    assert run("models", "info", tmp_path / "mine") == 0
    said = capsys.readouterr().out
    assert "makes: soft (enhanced)" in said and "Taught on 2 pairs of images" in said and "PSNR" in said


def test_an_image_is_written_and_measured(folder, tmp_path, capsys):
    out = tmp_path / "out.nii.gz"
    command = ["enhance", folder / "i1.nii.gz", "--model", folder / "model", "--device", "cpu"]
    assert run(*command, "--output", out, "--metrics", folder / "t1.nii.gz", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    image, target = read_volume(folder / "i1.nii.gz"), read_volume(folder / "t1.nii.gz")
    made = enhance(image, denoiser(), device="cpu")
    written = read_volume(out)
    assert written.geometry.matches(image.geometry)
    np.testing.assert_allclose(written.array, made.array, atol=1e-4)
    assert document["quality"]["output"]["psnr_db"] == pytest.approx(compare(made, target).psnr_db, abs=1e-3)
    assert document["quality"]["input"]["psnr_db"] == pytest.approx(compare(image, target).psnr_db)
    assert document["inputs"] == {"channel 1": image.sha256}
    assert run(*command, "--output", tmp_path / "rest.nrrd", "--subtract") == 0
    assert "Written to" in capsys.readouterr().out
    rest = read_volume(tmp_path / "rest.nrrd").array
    np.testing.assert_allclose(rest, image.array - written.array, atol=1e-3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.nii.gz", "rest.nrrd"]


def refused(capsys, *arguments):
    assert run(*arguments) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    return line


def test_mistakes_are_told_and_nothing_is_written(folder, model, tmp_path, capsys):
    image, bundle = folder / "i1.nii.gz", folder / "model"
    there = tmp_path / "there.nii.gz"
    there.write_text("mine")
    for output, says in (
        (there, "is there already"),
        (tmp_path / "picture.jpg", "no known ending"),
        (tmp_path / "no" / "out.nii.gz", "There is no folder"),
    ):
        assert says in refused(capsys, "enhance", image, "--model", bundle, "--output", output)
    out = tmp_path / "out.nii.gz"
    assert "mtann detect" in refused(capsys, "enhance", image, "--model", model, "--output", out)
    assert "mtann enhance" in refused(capsys, "detect", image, "--model", bundle, "--output", tmp_path / "result")
    assert "needs 1 channel" in refused(capsys, "enhance", "--model", bundle, "--output", out)
    assert [path.name for path in tmp_path.iterdir()] == ["there.nii.gz"] and there.read_text() == "mine"


def test_a_list_without_targets_is_refused(folder, tmp_path, capsys):
    bare = folder / "bare.csv"
    bare.write_text("case,patient,xray\nc1,p1,i1.nii.gz\n")
    command = ["train", "enhancement", "--output", tmp_path / "mine", "--cases"]
    assert "lacks the column(s) target" in refused(capsys, *command, bare)
    empty = folder / "empty.csv"
    empty.write_text("case,patient,xray,target\nc1,p1,i1.nii.gz,\n")
    assert "no file in column 'target'" in refused(capsys, *command, empty)
    assert "cannot be 'nothing'" in refused(capsys, *command, folder / "cases.csv", "--target", "nothing")
