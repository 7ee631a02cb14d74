"""The likelihood as a U-Net's input: its channel, its cases, and the warning where the MTANN knows them."""

import json

import numpy as np
import pytest
from small_models import ball_model, balls
from unet_data_sets import QUICK
from unet_training import small_plan

from mtann.cases import TrainingCase
from mtann.cli import main
from mtann.data_set import LabelledCase
from mtann.errors import CasesError
from mtann.models.bundle import load_bundle, save_bundle
from mtann.models.unet_card import UNetCard
from mtann.pipeline import detect
from mtann.sampling.lesions import lesions_from_label_map
from mtann.settings import TrainingSettings
from mtann.teach import train
from mtann.unets.likelihood_channel import (
    LIKELIHOOD_CHANNEL,
    likelihood_cases,
    likelihood_note,
    likelihood_warning,
    overlap_warning,
    with_likelihood,
)
from mtann.volume_io import read_volume, write_volume


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two cases that the model of balls does not know, with their plan and list."""
    folder = tmp_path_factory.mktemp("likelihood")
    rows = ["case,patient,t1c,lesions"]
    for seed in (5, 6):
        made = balls(seed)
        write_volume(made.volume, folder / f"{seed}.nii.gz")
        write_volume(made.labels.with_array((made.labels.array > 0).astype(np.uint8)), folder / f"{seed}_l.nii.gz")
        rows.append(f"c{seed},p{seed},{seed}.nii.gz,{seed}_l.nii.gz")
    (folder / "cases.csv").write_text("\n".join(rows))
    (folder / "plan.json").write_text(small_plan().model_copy(update={"channels": ("t1c",)}).model_dump_json())
    save_bundle(ball_model(), folder / "mtann")
    return folder


def planned(folder) -> list[LabelledCase]:
    return [LabelledCase(f"c{n}", f"p{n}", (folder / f"{n}.nii.gz",), folder / f"{n}_l.nii.gz") for n in (5, 6)]


def test_a_plan_gets_the_likelihood_as_its_last_channel_as_it_is():
    plan = with_likelihood(small_plan())
    assert plan.channels == ("channel0", LIKELIHOOD_CHANNEL)
    assert plan.configurations[0].normalisation == ("z_score", "none")
    assert plan.configurations[0].normalise_in_mask == (False, False)
    assert len(plan.intensities) == 2
    assert with_likelihood(plan) is plan


def test_the_likelihoods_are_those_of_a_detection_and_made_once(folder, tmp_path):
    made = likelihood_cases(planned(folder), ("t1c",), ball_model(), tmp_path, "cpu")
    for case in made:
        image, likelihood = (read_volume(path) for path in case.channels)
        expected = detect(image, ball_model(), device="cpu").likelihood
        assert np.array_equal(likelihood.array, expected.array)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert likelihood_cases(planned(folder), ("t1c",), ball_model(), tmp_path, "cpu") == made
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_channels_that_the_mtann_needs_are_named(folder, tmp_path):
    with pytest.raises(CasesError, match=r"needs the channel\(s\) t1c, which the plan has not \(flair\)"):
        likelihood_cases(planned(folder), ("flair",), ball_model(), tmp_path, "cpu")


def test_an_mtann_that_knows_the_cases_is_warned_of(folder):
    assert overlap_warning(planned(folder), ball_model()) == ""
    image, labels = (read_volume(folder / name) for name in ("5.nii.gz", "5_l.nii.gz"))
    case = TrainingCase("a", "a", (image,), lesions_from_label_map(labels))
    quick = TrainingSettings(steps=2, mining_rounds=0, folds=0, negatives_per_case=50, batch_size=16)
    knowing = train([case], name="knows", channels=("t1c",), training=quick, device="cpu")
    assert "'knows' has learnt from 1 of 2 cases" in overlap_warning(planned(folder), knowing)


def test_from_the_command_line_the_model_names_its_mtann(folder, capsys):
    words = ["train", "unet", "--plan", folder, "--cases", folder / "cases.csv", "--fold", 0, "--folds", 2]
    line = [*words, "--likelihood-from", folder / "mtann", "--output", folder / "out", *QUICK]
    assert main([str(word) for word in line]) == 0
    bundle = load_bundle(folder / "out" / "3d_fullres" / "fold_0" / "model")
    assert isinstance(bundle.card, UNetCard)
    assert bundle.card.plan.channels == ("t1c", LIKELIHOOD_CHANNEL)
    assert likelihood_note(ball_model()) in bundle.card.notes
    assert likelihood_warning(ball_model(), bundle) == ()
    stranger = ball_model(2)
    assert "likelihoods of another MTANN" in likelihood_warning(stranger, bundle)[0]
    out = folder / "both"
    line = ["detect", folder / "5.nii.gz", "--model", folder / "mtann", "--device", "cpu", "--output", out]
    unet = folder / "out" / "3d_fullres" / "fold_0" / "model"
    assert main([str(word) for word in [*line, "--then-segment", unet]]) == 0
    document = json.loads((out / "segmentation.json").read_text())
    assert LIKELIHOOD_CHANNEL in document["inputs"]
