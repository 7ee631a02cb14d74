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
from mtann.models.bundle import ModelBundle, save_bundle
from mtann.models.unet_bundle import make_unet_bundle
from mtann.models.unet_card import UNetCard
from mtann.networks.registry import build_network
from mtann.unets.likelihood_channel import LIKELIHOOD_CHANNEL
from mtann.unets.two_stage import detect_then_segment
from mtann.volume import Volume
from mtann.volume_io import read_volume, write_volume

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
        "proposals.csv",
    }
    assert read_volume(out / "segmentation.nii.gz").array[FIRST] == 1
    assert len(json.loads((out / "candidates.json").read_text())["candidates"]) == 2
    with (out / "proposals.csv").open() as file:
        assert len(list(csv.DictReader(file))) >= 2
    assert main(line) == 0  # its own former result is replaced
    (out / "mine.txt").write_text("mine")
    assert main(line) == 2
    assert "not a former detection result" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--cases", "cases.csv"], ["--explain"]])
def test_what_does_not_go_together_is_said(tmp_path, capsys, more):
    line = ["detect", "--model", "x", "--then-segment", "y", "--output", str(tmp_path / "out"), *more]
    assert main(line) == 2
    assert "--then-segment takes one case, without --cases and --explain" in capsys.readouterr().err
