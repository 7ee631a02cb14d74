"""The description of a U-Net model, and its weights in a bundle."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from unet_plans import configuration, plan

from mtann.models.bundle import load_bundle, save_bundle
from mtann.models.unet_bundle import make_unet_bundle
from mtann.models.unet_card import MeasuredDice, PostProcessing, UNetCard


def card(**values) -> UNetCard:
    return UNetCard(
        **{
            "name": "small",
            "plan": plan(),
            "configurations": ("3d_fullres",),
            "folds": ("0", "1"),
            "mirror_axes": {"3d_fullres": (0, 1, 2)},
            "training_data": (),
            "software": {},
            **values,
        }
    )


CASCADE = {
    "plan": plan(
        configurations=(
            configuration("3d_lowres", spacing=(2.0, 2.0, 2.0)),
            configuration("3d_cascade_fullres", previous="3d_lowres"),
        )
    ),
    "configurations": ("3d_cascade_fullres",),
    "mirror_axes": {"3d_lowres": (), "3d_cascade_fullres": (0,)},
}


def test_a_bundle_holds_every_fold_under_its_own_name_and_reads_back(tmp_path):
    states = {("3d_fullres", fold): {"stem.weight": torch.full((2, 3), float(fold) + 0.5)} for fold in "01"}
    bundle = make_unet_bundle(card(), states)
    assert sorted(bundle.weights) == ["fold_0.3d_fullres.stem.weight", "fold_1.3d_fullres.stem.weight"]
    save_bundle(bundle, tmp_path / "model")
    again = load_bundle(tmp_path / "model")
    assert (again.card, again.sha256) == (bundle.card, bundle.sha256)
    np.testing.assert_array_equal(again.weights["fold_1.3d_fullres.stem.weight"], np.full((2, 3), 1.5))


def test_labels_keep_the_order_of_the_networks_outputs(tmp_path):
    regions = plan(labels={"whole": (1, 2), "core": (2,)}, region_order=(1, 2))
    save_bundle(make_unet_bundle(card(plan=regions, folds=("all",)), {("3d_fullres", "all"): {}}), tmp_path / "model")
    again = load_bundle(tmp_path / "model").card
    assert list(again.plan.labels.items()) == [("whole", (1, 2)), ("core", (2,))]


def test_a_cascade_brings_the_configuration_before_it():
    cascade = card(**CASCADE)
    assert cascade.stages == ("3d_lowres", "3d_cascade_fullres")
    assert cascade.members == (
        ("fold_0.3d_lowres", "fold_1.3d_lowres"),
        ("fold_0.3d_cascade_fullres", "fold_1.3d_cascade_fullres"),
    )
    with pytest.raises(ValidationError, match="mirror_axes do not name configuration 3d_lowres"):
        card(**{**CASCADE, "mirror_axes": {"3d_cascade_fullres": ()}})


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"configurations": ("2d",)}, "the plan has no configuration 2d"),
        ({"post_processing": (PostProcessing(label="liver"),)}, "labels that the plan has not: liver"),
        ({"folds": ("x",)}, "pattern"),
        (
            {
                "plan": plan(configurations=(configuration("2d"),)),
                "configurations": ("2d",),
                "mirror_axes": {"2d": (0, 2)},
            },
            r"mirror_axes \(0, 2\) of configuration 2d exceed",
        ),
    ],
)
def test_parts_that_do_not_agree_are_refused(values, complaint):
    with pytest.raises(ValidationError, match=complaint):
        card(**values)


def test_the_card_says_what_the_model_is_for_and_how_it_did():
    measured = (MeasuredDice(label="core", dice=0.9, cases=5, measured_on="training data, out of fold"),)
    described = card(measured=measured, training_cases=5, training_patients=4)
    assert (described.command, described.purpose) == ("segment", "segments: oedema, core")
    assert described.taught_on == "5 cases of 4 patients"
    assert described.results == ("core: Dice coefficient 0.900 in 5 cases; measured on training data, out of fold",)
    assert described.described_inputs == (
        "Channels: t1; 3d_fullres: z_score, grid 1 x 1 x 1 mm, patch 16 x 16 x 16, plain_unet"
    )
    assert card().taught_on == "cases that are not stated"
