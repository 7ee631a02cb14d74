"""The command line from outside: files in, files out, exit codes, one line an error."""

import csv
import json
import re

import numpy as np
import pytest
import SimpleITK as sitk
from small_models import BALLS, balls

from mtann.cli import main
from mtann.errors import CancelledError
from mtann.pipeline import detect
from mtann.volume_io import read_volume, write_volume
from unit.dicom_series import write_series

SIX_FILES = {
    "likelihood.nii.gz",
    "candidates.nii.gz",
    "candidates.json",
    "candidates.csv",
    "overlay.png",
    "report.html",
}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "image.nii.gz"
    write_volume(balls(7).volume, path)
    return path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_detect_writes_six_files_that_agree(model, image, tmp_path, capsys):
    assert run("detect", image, "--model", model, "--output", tmp_path / "out", "--device", "cpu") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == SIX_FILES
    document = json.loads((tmp_path / "out" / "candidates.json").read_text())
    labels = read_volume(tmp_path / "out" / "candidates.nii.gz")
    assert labels.geometry.matches(read_volume(image).geometry)
    assert read_volume(tmp_path / "out" / "likelihood.nii.gz").geometry.matches(labels.geometry)
    for candidate in document["candidates"]:
        voxels = np.count_nonzero(labels.array == candidate["id"])
        assert candidate["volume_mm3"] == pytest.approx(voxels * labels.geometry.voxel_volume_mm3)
    assert sum(candidate["reported"] for candidate in document["candidates"]) == len(BALLS)
    with (tmp_path / "out" / "candidates.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(document["candidates"])
    assert "2 of" in capsys.readouterr().out


def test_json_is_all_that_stands_on_standard_output(model, image, tmp_path, capsys):
    assert run("detect", image, "--model", model, "--output", tmp_path / "out", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["candidates"] == json.loads((tmp_path / "out" / "candidates.json").read_text())["candidates"]


def test_running_again_replaces_the_former_result(model, image, tmp_path):
    assert run("detect", image, "--model", model, "--output", tmp_path / "out") == 0
    assert run("detect", image, "--model", model, "--output", tmp_path / "out", "--threshold", 99) == 0
    document = json.loads((tmp_path / "out" / "candidates.json").read_text())
    assert document["threshold"] == 99
    assert not any(candidate["reported"] for candidate in document["candidates"])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_explanation_comes_with_the_result_when_asked_for(model, image, tmp_path):
    out = tmp_path / "out"
    assert run("detect", image, "--model", model, "--output", out, "--explain", 1, "--occlusion-cube-mm", 3) == 0
    more = {"explanation.json", "occlusion_1.nii.gz", "filters.png"}
    assert {path.name for path in out.iterdir()} == SIX_FILES | more
    document = json.loads((out / "explanation.json").read_text())
    assert document["candidates"][0]["occlusion"]["cube_zyx_mm"] == [3.0, 3.0, 3.0]
    assert "Why these scores" in (out / "report.html").read_text()


@pytest.mark.slow
def test_a_list_is_run_again_where_another_explanation_is_wanted(model, image, tmp_path, capsys):
    cases = write_list(tmp_path / "cases.csv", [{"case": "c", "patient": "p", "t1c": str(image)}])
    common = ("detect", "--cases", cases, "--model", model, "--output", tmp_path / "out", "--json")
    statuses = []
    for more in ((), ("--explain", 1), ("--explain", 1), ("--explain", 2), ()):
        capsys.readouterr()
        assert run(*common, *more) == 0
        statuses.append(json.loads(capsys.readouterr().out)["cases"][0]["status"])
    assert statuses == ["done", "done", "skipped", "done", "skipped"]


def test_no_candidate_is_a_result_too(model, image, tmp_path):
    assert run("detect", image, "--model", model, "--output", tmp_path / "out", "--score-floor", 50) == 0
    assert len((tmp_path / "out" / "candidates.csv").read_text().splitlines()) == 1
    assert not read_volume(tmp_path / "out" / "candidates.nii.gz").array.any()


def write_list(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.slow
def test_a_list_of_cases_is_run_and_resumed(model, tmp_path, capsys):
    for seed in (1, 2):
        write_volume(balls(seed).volume, tmp_path / f"i{seed}.nii.gz")
    cases = write_list(
        tmp_path / "cases.csv", [{"case": f"c{s}", "patient": f"p{s}", "t1c": f"i{s}.nii.gz"} for s in (1, 2)]
    )
    out = tmp_path / "out"
    assert run("detect", "--cases", cases, "--model", model, "--output", out) == 0
    assert {path.name for path in out.iterdir()} == {"c1", "c2"}
    (out / "c2" / "candidates.json").unlink()  # As if a user had emptied it by hand.
    for rest in (out / "c2").iterdir():
        rest.unlink()
    stamp = (out / "c1" / "candidates.json").stat().st_mtime_ns
    capsys.readouterr()
    assert run("detect", "--cases", cases, "--model", model, "--output", out, "--json") == 0
    assert [case["status"] for case in json.loads(capsys.readouterr().out)["cases"]] == ["skipped", "done"]
    assert (out / "c1" / "candidates.json").stat().st_mtime_ns == stamp
    write_volume(balls(3).volume, tmp_path / "i1.nii.gz")  # Another image: no longer done.
    assert run("detect", "--cases", cases, "--model", model, "--output", out, "--json") == 0
    assert [case["status"] for case in json.loads(capsys.readouterr().out)["cases"]] == ["done", "skipped"]


def test_a_case_that_fails_does_not_stop_the_others(model, image, tmp_path, capsys):
    sitk.WriteImage(sitk.Image(8, 8, 8, sitk.sitkFloat32), str(tmp_path / "zero.nii.gz"))
    rows = [{"case": "bad", "patient": "a", "t1c": "zero.nii.gz"}, {"case": "good", "patient": "b", "t1c": str(image)}]
    cases = write_list(tmp_path / "cases.csv", rows)
    assert run("detect", "--cases", cases, "--model", model, "--output", tmp_path / "out", "--json") == 2
    outcome = json.loads(capsys.readouterr().out)["cases"]
    assert [case["status"] for case in outcome] == ["failed", "done"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"good"}


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "Memory ran out"),
        (ZeroDivisionError("by\nzero"), "Unexpected problem (ZeroDivisionError: by zero)"),
    ],
)
def test_a_defect_in_one_case_does_not_stop_the_others(model, image, tmp_path, monkeypatch, capsys, error, says):
    def fail_once(*arguments, **options):
        calls.append(1)
        if len(calls) == 1:
            raise error
        return detect(*arguments, **options)

    calls = []
    monkeypatch.delenv("MTANN_TRACEBACK", raising=False)
    monkeypatch.setattr("mtann.commands.detect.detect", fail_once)
    cases = write_list(
        tmp_path / "cases.csv", [{"case": name, "patient": name, "t1c": str(image)} for name in ("bad", "good")]
    )
    assert run("detect", "--cases", cases, "--model", model, "--output", tmp_path / "out", "--json") == 2
    outcome = json.loads(capsys.readouterr().out)["cases"]
    assert [case["status"] for case in outcome] == ["failed", "done"]
    assert says in outcome[0]["message"] and "\n" not in outcome[0]["message"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, CancelledError])
def test_stopping_stops_the_whole_list(model, image, tmp_path, monkeypatch, error):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr("mtann.commands.detect.detect", stop)
    cases = write_list(tmp_path / "cases.csv", [{"case": "a", "patient": "a", "t1c": str(image)}])
    assert run("detect", "--cases", cases, "--model", model, "--output", tmp_path / "out") == 130


def test_the_mask_is_the_chosen_series_too(model, image, tmp_path):
    geometry = read_volume(image).geometry
    for number in (1, 2):
        values = np.zeros(geometry.shape_zyx, np.int16)
        values[:, :, 20 * (number - 1) : 20 * number] = 1
        write_series(tmp_path / "mask", values, geometry, number=number)
    command = ["detect", image, "--model", model, "--mask", tmp_path / "mask", "--output", tmp_path / "out"]
    assert run(*command) == 2
    for series, start in (("1", 0), ("2", 20)):
        assert run(*command, "--series", series) == 0
        likelihood = read_volume(tmp_path / "out" / "likelihood.nii.gz").array
        assert likelihood[:, :, start : start + 20].any()
        assert not np.delete(likelihood, np.s_[max(0, start - 1) : start + 21], axis=2).any()


def test_training_from_a_list_gives_a_model_that_detects(tmp_path, image, capsys):
    for seed in (1, 2):
        phantom = balls(seed)
        write_volume(phantom.volume, tmp_path / f"i{seed}.nii.gz")
        write_volume(phantom.labels, tmp_path / f"l{seed}.nii.gz")
    rows = [
        {"case": f"c{s}", "patient": f"p{s}", "t1c": f"i{s}.nii.gz", "lesions": f"l{s}.nii.gz", "site": "A"}
        for s in (1, 2)
    ]
    cases = write_list(tmp_path / "cases.csv", rows)
    quick = [
        "--steps",
        100,
        "--hidden",
        "8,4",
        "--dilations",
        "1,2",
        "--batch-size",
        256,
        "--negatives-per-case",
        1000,
        "--folds",
        2,
    ]
    command = ["train", "mtann", "--cases", cases, "--output", tmp_path / "mine", *quick]
    treated = ["--preprocess", "t1c=trend:order=1", "--normalisation", "t1c=window:-1:4"]
    assert run(*command, *treated, "--licence", "CC0-1.0", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert card["training_lesions"] == 4
    assert card["licence"] == "CC0-1.0"
    (channel,) = card["inputs"]["channels"]
    assert channel["name"] == "t1c"
    assert [(step["kind"], step["order"]) for step in channel["steps"]] == [("trend", 1)]
    assert (channel["normalisation"]["low"], channel["normalisation"]["high"]) == (-1, 4)
    assert run("models", "verify", tmp_path / "mine") == 0
    assert run("models", "info", tmp_path / "mine") == 0
    assert "t1c (mr; trend, window)" in capsys.readouterr().out
    assert run("detect", image, "--model", tmp_path / "mine", "--output", tmp_path / "out") == 0


def test_training_ends_with_a_summary_and_says_where_its_report_is(tmp_path, capsys):
    for seed in (1, 2):
        phantom = balls(seed)
        write_volume(phantom.volume, tmp_path / f"i{seed}.nii.gz")
        write_volume(phantom.labels, tmp_path / f"l{seed}.nii.gz")
    rows = [{"case": f"c{s}", "patient": f"p{s}", "t1c": f"i{s}.nii.gz", "lesions": f"l{s}.nii.gz"} for s in (1, 2)]
    cases = write_list(tmp_path / "cases.csv", rows)
    quick = ["--steps", 30, "--hidden", 4, "--dilations", 1, "--folds", 2, "--negatives-per-case", 500]
    command = ["train", "mtann", "--cases", cases, "--output", tmp_path / "mine", "--mining-rounds", 0, *quick]
    assert run(*command, "--learning-curve") == 0
    said = capsys.readouterr().out
    assert re.search(r"Finds \d+% at 1, \d+% at 2 and \d+% at 4 false alarms a case, of 4 lesions in 2 cases", said)
    assert "From half of the lesions to all" in said
    page = tmp_path / "mine" / "training_report.html"
    assert f"Report: {page}" in said
    assert "Would more lesions help?" in page.read_text(encoding="utf-8")


def test_training_reads_the_chosen_series(tmp_path, monkeypatch):
    loaded = []

    def load(*arguments):
        loaded.append(arguments[-1])
        raise CancelledError

    monkeypatch.setattr("mtann.commands.train.load_training_case", load)
    for name in ("i", "l"):
        (tmp_path / name).mkdir()
    cases = write_list(tmp_path / "cases.csv", [{"case": "a", "patient": "p", "t1c": "i", "lesions": "l"}])
    assert run("train", "mtann", "--cases", cases, "--output", tmp_path / "mine", "--series", "2") == 130
    assert loaded == ["2"]


def test_models_are_listed(capsys):
    assert run("models", "list", "--json") == 0
    assert isinstance(json.loads(capsys.readouterr().out)["models"], list)
    assert run("models", "info") == 2


def test_interrupting_leaves_nothing_and_ends_with_130(model, image, tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("mtann.report.save.draw_overlay", interrupt)
    assert run("detect", image, "--model", model, "--output", tmp_path / "out") == 130
    assert list(tmp_path.iterdir()) == []
    assert "Stopped" in capsys.readouterr().err


def test_a_defect_of_ours_is_one_line_too(model, image, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MTANN_TRACEBACK", raising=False)
    monkeypatch.setattr("mtann.commands.detect.detect", lambda *_, **__: 1 / 0)
    assert run("detect", image, "--model", model, "--output", tmp_path / "out") == 1
    assert "Unexpected problem (ZeroDivisionError" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
