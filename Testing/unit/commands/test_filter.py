"""``mtann filter`` from outside: any detector's candidates in, the same files as of a detection out."""

import csv
import json

import numpy as np
import pytest
from small_models import BALLS, GRID, balls

from mtann.cli import main
from mtann.models.bundle import CARD_FILE
from mtann.volume_io import read_volume, write_volume


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "image.nii.gz"
    write_volume(balls(7).volume, path)
    return path


@pytest.fixture
def points(tmp_path):
    """The two balls and a place between them, with another detector's scores."""
    rows = [(*BALLS[0].centre_lps_mm, 2.5, 0.2), (0.5, 28.0, 16.0, 3.0, 0.9), (*BALLS[1].centre_lps_mm, 4.0, "")]
    path = tmp_path / "points.csv"
    text = "\n".join(["x_lps_mm,y_lps_mm,z_lps_mm,radius_mm,score", *(",".join(map(str, row)) for row in rows)])
    path.write_text(text)
    return path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def refused(capsys, *arguments):
    """Run a command that must fail as a user's error; returns its one line."""
    assert run("filter", *arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(lines) == 1, lines
    return lines[0]


def test_the_result_keeps_every_candidate_with_its_row_and_score(model, image, points, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("filter", "--candidates", points, image, "--model", model, "--output", out, "--device", "cpu") == 0
    said = capsys.readouterr()
    assert "given as 2, 0.900" in said.out
    assert "was taught for detection" in said.err
    document = json.loads((out / "candidates.json").read_text())
    assert [(one["given_id"], one["given_score"]) for one in document["candidates"]][-1] == (2, 0.9)
    assert {one["given_id"] for one in document["candidates"][:2]} == {1, 3}
    assert document["inputs"][-1]["path"] == "points.csv"
    with (out / "candidates.csv").open() as file:
        rows = {row["given_id"]: row for row in csv.DictReader(file)}
    assert (rows["1"]["given_score"], rows["3"]["given_score"]) == ("0.2", "")
    labels = read_volume(out / "candidates.nii.gz")
    assert sorted(np.unique(labels.array).tolist()) == [0, 1, 2, 3]
    assert {"likelihood.nii.gz", "overlay.png", "report.html"} <= {path.name for path in out.iterdir()}


def test_given_candidates_are_explained_too(model, image, points, tmp_path):
    out = tmp_path / "out"
    command = ("filter", "--candidates", points, image, "--model", model, "--output", out, "--explain", 1)
    assert run(*command) == 0
    (one,) = json.loads((out / "explanation.json").read_text())["candidates"]
    first = json.loads((out / "candidates.json").read_text())["candidates"][0]
    # A given candidate is scored about its own place, so the map starts from its very score.
    assert one["score"] == first["score"]
    assert one["occlusion"]["score"] == pytest.approx(first["score"], abs=1e-5)
    assert (out / "occlusion_1.nii.gz").is_file()


def test_the_candidates_of_a_result_are_scored_as_they_were_given(model, image, points, tmp_path, capsys):
    command = ["filter", image, "--model", model, "--json", "--device", "cpu"]
    assert run(*command, "--candidates", points, "--output", tmp_path / "one") == 0
    first = json.loads(capsys.readouterr().out)["candidates"]
    assert run(*command, "--candidates", tmp_path / "one" / "candidates.json", "--output", tmp_path / "two") == 0
    second = json.loads(capsys.readouterr().out)["candidates"]
    assert [one["given_score"] for one in second] == [one["score"] for one in first]
    assert [one["score"] for one in second] == pytest.approx([one["score"] for one in first], abs=1e-6)


@pytest.mark.slow
def test_chosen_values_of_a_label_map_are_candidates(model, image, tmp_path, capsys):
    labels = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    labels[8:12, 10:14, 10:14] = 2
    labels[12:14, 10:14, 10:14] = 5  # It touches the first.
    labels[2:4, 2:4, 2:4] = 1
    write_volume(balls(7).volume.with_array(labels), tmp_path / "seg.nii.gz")
    command = ["filter", image, "--model", model, "--json", "--candidates", tmp_path / "seg.nii.gz", "--device", "cpu"]
    for options, ids in (
        ((), {1, 2}),
        (("--instances",), {1, 2, 5}),
        (("--instances", "--candidate-values", "2,5"), {2, 5}),
        (("--candidate-values", "2,5"), {1}),
    ):
        assert run(*command, *options, "--output", tmp_path / "out") == 0
        found = json.loads(capsys.readouterr().out)["candidates"]
        assert {one["given_id"] for one in found} == ids


def test_no_candidate_is_a_result_too(model, image, tmp_path, capsys):
    (tmp_path / "none.csv").write_text("x_lps_mm,y_lps_mm,z_lps_mm\n")
    out = tmp_path / "out"
    assert run("filter", "--candidates", tmp_path / "none.csv", image, "--model", model, "--output", out) == 0
    assert len((out / "candidates.csv").read_text().splitlines()) == 1
    assert not read_volume(out / "candidates.nii.gz").array.any()


def test_a_list_is_resumed_unless_its_candidates_changed(model, image, points, tmp_path, capsys):
    cases = tmp_path / "cases.csv"
    cases.write_text(f"case,patient,t1c,candidates\na,p,{image},points.csv\n")
    command = ["filter", "--cases", cases, "--model", model, "--output", tmp_path / "out", "--json", "--device", "cpu"]

    def status():
        assert run(*command) == 0
        return json.loads(capsys.readouterr().out)["cases"][0]["status"]

    assert [status(), status()] == ["done", "skipped"]
    points.write_text(points.read_text().replace("0.9", "0.8"))
    assert [status(), status()] == ["done", "skipped"]


def test_mistakes_are_told_in_one_line(model, image, points, tmp_path, capsys):
    out = tmp_path / "out"
    to = [image, "--model", model, "--output", out]
    assert "--candidates" in refused(capsys, *to)
    assert "--candidates" in refused(capsys, *to, "--candidates", points, "--cases", points)
    assert "whole numbers" in refused(capsys, *to, "--candidates", points, "--candidate-values", "a")
    assert "cannot be read" in refused(capsys, *to, "--candidates", tmp_path / "none.csv")
    assert "no image at" in refused(capsys, *to, "--candidates", tmp_path / "none.nii.gz")
    points.write_text("x_lps_mm,y_lps_mm,z_lps_mm\n-8,22,15\n900,0,0\n")
    assert "1 of 2 candidates lie outside the image 'image.nii.gz': number 2" in refused(
        capsys, *to, "--candidates", points
    )
    (tmp_path / "cases.csv").write_text(f"case,patient,t1c\na,p,{image}\n")
    listed = ["--cases", tmp_path / "cases.csv", "--model", model, "--output", out]
    assert "lacks the column(s) candidates" in refused(capsys, *listed)
    assert not out.exists()


def test_a_model_of_another_kind_is_refused(model, image, points, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    card = json.loads((model / CARD_FILE).read_text())
    (other / CARD_FILE).write_text(json.dumps({**card, "kind": "telescope"}))
    line = refused(capsys, "--candidates", points, image, "--model", other, "--output", tmp_path / "out")
    assert "is of kind 'telescope', which this version does not know" in line
    assert not (tmp_path / "out").exists()


def test_a_filter_is_taught_from_a_list(image, tmp_path, capsys):
    for seed in (1, 2):
        write_volume(balls(seed).volume, tmp_path / f"i{seed}.nii.gz")
        write_volume(balls(seed).labels, tmp_path / f"l{seed}.nii.gz")
    (tmp_path / "n.csv").write_text("x_lps_mm,y_lps_mm,z_lps_mm,radius_mm\n0.5,28,16,3\n")
    quick = ["--steps", 60, "--hidden", "8", "--dilations", "1,2", "--batch-size", 64, "--folds", 2]
    cases = tmp_path / "cases.csv"
    command = ["train", "mtann", "--cases", cases, "--task", "classification", *quick, "--output", tmp_path / "mine"]
    rows = [f"c{s},p{s},i{s}.nii.gz,l{s}.nii.gz" for s in (1, 2)]
    cases.write_text("\n".join(["case,patient,t1c,lesions,non_lesions", *(f"{row},n.csv" for row in rows)]))
    assert run(*command, "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert card["training"]["task"] == "classification"
    assert card["operating_points"][0]["chosen_on"].startswith("out-of-fold given candidates")
    cases.write_text("\n".join(["case,patient,t1c,lesions", *rows]))
    assert run(*command) == 2
    assert "column 'non_lesions'" in capsys.readouterr().err
