"""MTANN and U-Net together, with a U-Net whose answer is known: it takes what is brighter than a threshold."""

import csv
import json

import numpy as np
import pytest
import torch
from small_models import BALLS, GRID, ball_model, balls
from unet_plans import configuration, plan

from mtann.cli import main
from mtann.errors import ImageError, ModelError
from mtann.models.bundle import ModelBundle, complete_bundle, save_bundle
from mtann.models.unet_bundle import make_unet_bundle
from mtann.models.unet_card import UNetCard
from mtann.networks.registry import build_network
from mtann.segmentation.result import SegmentationSettings
from mtann.unets.likelihood_channel import LIKELIHOOD_CHANNEL
from mtann.unets.two_stage import detect_then_segment
from mtann.volume import Volume
from mtann.volume_io import read_volume, write_volume
from mtann.worker.protocol import message_from, to_line
from mtann.worker.session import Session
from mtann.worker.tasks import TASKS
from mtann.worker.tasks import Job as WorkerJob
from mtann.worker.values import Parcel, from_json, to_json

FIRST, SECOND = (tuple(np.round(GRID.index_from_lps(ball.centre_lps_mm)).astype(int)) for ball in BALLS)

THRESHOLD = 0.1
"""The model of balls was taught for detection: its own threshold is for scores of the scale that it finds best."""


def bright_unet(channels: tuple[str, ...] = ("t1c",), seen: int = 0) -> ModelBundle:
    """A U-Net that labels what is bright in one of its channels.

    Its weights are so small that instance normalisation, which adds 1e-5 to the variance, only takes the mean away:
    a ball of a few percent of the patch brings the threshold from 0.42 to about a half.
    """
    made = plan(
        channels=1,
        labels={"ball": (1,)},
        configurations=(configuration(normalisation=("none",)),),
    )
    how = {"normalisation": ("none",) * len(channels), "normalise_in_mask": (False,) * len(channels)}
    one = made.configurations[0].model_copy(update=how)
    made = made.model_copy(
        update={"channels": channels, "intensities": made.intensities * len(channels), "configurations": (one,)}
    )
    network = build_network(one.architecture, len(channels), 2, one.patch_size)
    state = {name: torch.zeros_like(tensor) for name, tensor in network.state_dict().items()}
    for name in state:
        if name.endswith("norm.weight"):
            state[name] += 1
    (first,) = [name for name in state if name.startswith("encoder.stages.0.") and name.endswith("conv.weight")]
    (last,) = [name for name in state if name.startswith("decoder.stages.0.") and name.endswith("conv.weight")]
    (head,) = [name for name in state if name.startswith("decoder.seg_layers.0.") and name.endswith("weight")]
    state[first][0, seen, 1, 1, 1] = 1e-4
    state[last][0, 4, 1, 1, 1] = 1e-2
    state[head][1, 0] = 1.0
    # A ball of contrast 1 is 1e-4 before and 1e-4 / sqrt(1e-5) after the first normalisation, and so on.
    state[head.replace("weight", "bias")][1] = -0.42 * (1e-4 / 1e-5**0.5) * (1e-2 / 1e-5**0.5)
    card = UNetCard(
        name="bright",
        plan=made,
        configurations=(one.name,),
        folds=("0",),
        mirror_axes={one.name: ()},
        training_data=(),
        software={},
    )
    return make_unet_bundle(card, {(one.name, "0"): state})


def half(first: bool) -> Volume:
    """A mask of the half of the image with one of the balls."""
    mask = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    middle = (FIRST[2] + SECOND[2]) // 2
    mask[..., :middle] = 1
    return Volume(mask if first else 1 - mask, GRID, "mask")


def test_what_is_proposed_is_outlined_and_scored_again():
    phantom = balls(7)
    result = detect_then_segment(phantom.volume, ball_model(), bright_unet(), threshold=THRESHOLD, device="cpu")
    assert result.proposals.threshold_origin.startswith("operating point 'high_sensitivity'")
    found, true = result.segmentation.label_map.array > 0, phantom.labels.array > 0
    assert 2 * np.count_nonzero(found & true) / (found.sum() + true.sum()) > 0.95
    findings = result.findings
    assert len(findings.reported) == 2
    for candidate in findings.reported:
        index = tuple(np.round(GRID.index_from_lps(candidate.centroid_lps_mm)).astype(int))
        assert any(np.abs(np.subtract(index, ball)).max() <= 1 for ball in (FIRST, SECOND))
        # The outline is the U-Net's, the score the MTANN's.
        outline = findings.candidate_map.array == candidate.id
        assert np.array_equal(outline, outline & found)
        assert candidate.score > findings.threshold
    assert findings.inputs[-1].path == "segmentation by bright"


def test_the_unet_looks_only_where_something_is_proposed():
    phantom = balls(7)
    result = detect_then_segment(phantom.volume, ball_model(), bright_unet(), mask=half(first=True), device="cpu")
    run, of_all = result.segmentation.patches
    assert 0 < run < of_all
    assert result.segmentation.label_map.array[FIRST] == 1
    assert result.segmentation.label_map.array[SECOND] == 0
    assert len(result.findings.candidates) == 1


def test_nothing_proposed_is_nothing_found():
    flat = balls(7).volume
    rng = np.random.default_rng(0)
    empty = flat.with_array(rng.normal(1, 0.05, flat.array.shape).astype(np.float32))
    strict = ball_model().card.detection.model_copy(update={"score_floor": 5.0})
    result = detect_then_segment(empty, ball_model(), bright_unet(), strict, device="cpu")
    assert result.proposals.candidates == result.findings.candidates == ()
    assert result.segmentation.patches[0] == 0
    assert not result.segmentation.label_map.array.any()


def test_the_likelihood_is_handed_on_to_a_unet_that_takes_it():
    # This U-Net sees the likelihood alone: what it takes is where the MTANN's answer exceeds one half.
    unet = bright_unet(("t1c", LIKELIHOOD_CHANNEL), seen=1)
    result = detect_then_segment(balls(7).volume, ball_model(), unet, device="cpu")
    found = result.segmentation.label_map.array > 0
    assert found[FIRST]
    assert found[SECOND]
    likelihood = result.proposals.likelihood.array
    assert likelihood[found].min() > 0.3
    far = ~found & (likelihood > 0.75)
    assert not far.any()


def test_models_that_do_not_fit_are_refused():
    image = balls(7).volume
    with pytest.raises(ImageError, match="needs the channels flair"):
        detect_then_segment({"t1c": image, "t2": image}, ball_model(), bright_unet(("flair",)), device="cpu")
    with pytest.raises(ModelError, match="is no U-Net"):
        detect_then_segment(image, ball_model(), ball_model(), device="cpu")


def test_from_the_command_line_everything_is_in_one_folder(tmp_path, capsys):
    phantom = balls(7)
    write_volume(phantom.volume, tmp_path / "image.nii.gz")
    save_bundle(ball_model(), tmp_path / "mtann")
    save_bundle(bright_unet(), tmp_path / "unet")
    out = tmp_path / "out"
    words = ["detect", tmp_path / "image.nii.gz", "--model", tmp_path / "mtann", "--then-segment", tmp_path / "unet"]
    line = [str(word) for word in [*words, "--output", out, "--device", "cpu"]]
    line += ["--threshold", str(THRESHOLD)]
    assert main(line) == 0
    assert "2 findings, 2 of which reach" in capsys.readouterr().out
    names = {path.name for path in out.iterdir()}
    assert names == {
        "likelihood.nii.gz",
        "candidates.nii.gz",
        "candidates.json",
        "candidates.csv",
        "overlay.png",
        "report.html",
        "segmentation.nii.gz",
        "segmentation.json",
        "segmentation.png",
        "segmentation.html",
        "proposals.csv",
    }
    assert read_volume(out / "segmentation.nii.gz").array[FIRST] == 1
    assert len(json.loads((out / "candidates.json").read_text())["candidates"]) == 2
    assert "1 of 1 label found" in (out / "segmentation.html").read_text()
    assert "2 candidates reported" in (out / "report.html").read_text()
    with (out / "proposals.csv").open() as file:
        assert len(list(csv.DictReader(file))) >= 2
    assert main(line) == 0  # its own former result is replaced
    (out / "mine.txt").write_text("mine")
    assert main(line) == 2
    assert "not a former detection result" in capsys.readouterr().err


@pytest.fixture
def place(tmp_path):
    """An image, both models, and a list with that image and one that cannot be used."""
    phantom = balls(7)
    write_volume(phantom.volume, tmp_path / "image.nii.gz")
    write_volume(phantom.volume.with_array(np.zeros(GRID.shape_zyx, np.float32)), tmp_path / "empty.nii.gz")
    save_bundle(ball_model(), tmp_path / "mtann")
    save_bundle(bright_unet(), tmp_path / "unet")
    (tmp_path / "cases.csv").write_text("case,patient,t1c\na,1,image.nii.gz\nb,2,empty.nii.gz\nc,3,image.nii.gz\n")
    return tmp_path


def line(place, *words, unet="unet"):
    models = ["--model", place / "mtann", "--then-segment", place / unet, "--output", place / "out"]
    return [str(word) for word in ["detect", *models, "--device", "cpu", "--threshold", THRESHOLD, *words]]


def statuses(capsys):
    return [case["status"] for case in json.loads(capsys.readouterr().out)["cases"]]


def test_a_list_of_cases_is_done_case_by_case_and_resumed(place, capsys):
    words = line(place, "--cases", place / "cases.csv", "--json")
    assert main(words) == 2
    assert statuses(capsys) == ["done", "failed", "done"]
    for case in "ac":
        found = json.loads((place / "out" / case / "candidates.json").read_text())
        assert sum(one["reported"] for one in found["candidates"]) == 2
        assert read_volume(place / "out" / case / "segmentation.nii.gz").array[FIRST] == 1
    assert not (place / "out" / "b").exists()
    write_volume(balls(8).volume, place / "empty.nii.gz")
    assert main(words) == 0
    assert statuses(capsys) == ["skipped", "done", "skipped"]
    assert main([*words, "--precision", "fp32", "--backend", "torch"]) == 0
    assert statuses(capsys) == ["done"] * 3
    told = json.loads((place / "out" / "a" / "segmentation.json").read_text())
    assert told["computation"].startswith("torch on cpu, fp32")
    weights = {name: array * 1.0001 for name, array in bright_unet().weights.items()}
    save_bundle(complete_bundle(bright_unet().card, weights), place / "unet")
    assert main([*words, "--precision", "fp32", "--backend", "torch"]) == 0
    assert statuses(capsys) == ["done"] * 3


def test_the_worker_answers_with_what_the_library_finds(place):
    arguments = {
        "volumes": (read_volume(place / "image.nii.gz"),),
        "model": str(place / "mtann"),
        "unet": str(place / "unet"),
        "threshold": THRESHOLD,
        "how": SegmentationSettings(device="cpu", backend="torch"),
        "device": "cpu",
    }
    job = WorkerJob(Session(place), lambda _: None, lambda: False)
    found = TASKS["then_segment"](job, arguments)
    line = to_line({"value": to_json(found, Parcel(place, "a"))})
    back = from_json(message_from(line)["value"], place)
    own = detect_then_segment(balls(7).volume, ball_model(), bright_unet(), threshold=THRESHOLD, device="cpu")
    assert [one.score for one in back.findings.candidates] == pytest.approx(
        [one.score for one in own.findings.candidates], abs=1e-5
    )
    np.testing.assert_array_equal(back.segmentation.label_map.array, own.segmentation.label_map.array)
    assert back.segmentation.boxes == found.segmentation.boxes and back.segmentation.boxes
    assert back.segmentation.computation.startswith("torch on cpu, fp32")


@pytest.mark.slow
def test_findings_are_explained_and_their_uncertainty_measured(place, capsys):
    words = line(place, place / "image.nii.gz", "--explain", 1, "--uncertainty")
    assert main(words) == 0
    out = place / "out"
    assert {"explanation.json", "uncertainty.json", "variance.nii.gz"} <= {path.name for path in out.iterdir()}
    (explained,) = json.loads((out / "explanation.json").read_text())["candidates"]
    best = json.loads((out / "candidates.json").read_text())["candidates"][0]
    assert explained["id"] == best["id"] == 1
    assert len(json.loads((out / "uncertainty.json").read_text())["volumes"]) == 2
    assert "How sure the model is" in (out / "report.html").read_text()


@pytest.mark.slow
def test_a_list_is_resumed_only_if_it_is_explained_as_asked(place, capsys):
    (place / "cases.csv").write_text("case,patient,t1c\na,1,image.nii.gz\n")
    for words, status in (((), "done"), (("--explain", 1), "done"), (("--explain", 1), "skipped"), ((), "skipped")):
        assert main(line(place, "--cases", place / "cases.csv", "--json", *words)) == 0
        assert statuses(capsys) == [status]


def test_columns_of_both_models_are_needed_unless_one_only_calls_them_otherwise(place, capsys):
    save_bundle(bright_unet(("contrast",)), place / "renamed")
    save_bundle(bright_unet(("t1c", "flair")), place / "more")
    (place / "cases.csv").write_text("case,patient,t1c\na,1,image.nii.gz\n")
    cases = ("--cases", place / "cases.csv", "--json")
    assert main(line(place, *cases, unet="renamed")) == 0
    assert statuses(capsys) == ["done"]
    assert main(line(place, *cases, unet="more")) == 2
    assert "lacks the column(s) flair" in json.loads(capsys.readouterr().out)["error"]["message"]
    (place / "cases.csv").write_text("case,patient,t1c,flair\na,1,image.nii.gz,image.nii.gz\n")
    assert main(line(place, *cases, unet="more")) == 0


def test_what_does_not_go_together_is_said(tmp_path, capsys):
    words = ["detect", "--model", "x", "--then-segment", "y", "--output", str(tmp_path / "out")]
    assert main([*words, "a.nii.gz", "--cases", "cases.csv"]) == 2
    assert "Give either images or --cases, not both" in capsys.readouterr().err
    assert main([*words, "a.nii.gz", "--occlusion-cube-mm", "5"]) == 2
    assert "--occlusion-cube-mm is for --explain" in capsys.readouterr().err
