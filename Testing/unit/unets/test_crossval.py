"""``mtann crossval``: what is chosen and why, and that its model segments as it was measured."""

import numpy as np
import pytest
from unet_data_sets import command, read_json, training_of, write_data_set
from unet_training import small_plan

from mtann.cli import main
from mtann.models.bundle import load_bundle
from mtann.models.unet_card import UNetCard
from mtann.planning.plan import Plan
from mtann.unets.crossval import Candidate, in_order
from mtann.unets.scores import Agreement
from mtann.volume_io import read_volume


def two_configurations() -> Plan:
    """2-D and 3-D."""
    return small_plan(configurations=(*small_plan((8, 8)).configurations, *small_plan().configurations))


def cascade() -> Plan:
    """A coarse stage, and one that goes on from it."""
    (fine,) = small_plan().configurations
    low = fine.model_copy(update={"name": "3d_lowres", "spacing": (2.0, 2.0, 2.0)})
    after = fine.model_copy(update={"name": "3d_cascade_fullres", "previous": "3d_lowres"})
    return small_plan(configurations=(low, after))


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    folder = write_data_set(tmp_path_factory.mktemp("crossval"), plan=two_configurations())
    assert main(command("crossval", folder, "--folds", 2, "--output", folder / "model")) == 0
    return folder


def test_every_configuration_and_pair_is_measured_and_the_choice_explained(validated, capsys):
    assert main(command("crossval", validated, "--folds", 2, "--output", validated / "model")) == 0
    said = capsys.readouterr().out
    for words in ("2d: mean Dice", "3d_fullres: mean Dice", "2d with 3d_fullres: mean Dice", "Chosen: "):
        assert words in said
    assert "Post-processing of ball:" in said


def test_the_model_holds_all_folds_and_out_of_fold_measures(validated):
    card = load_bundle(validated / "model").card
    assert isinstance(card, UNetCard)
    assert card.folds == ("0", "1")
    assert card.training_cases == card.training_patients == 4
    for one in card.measured:
        assert one.cases == 4
        assert "2-fold cross-validation by patient" in one.measured_on


def test_the_model_says_whether_less_than_full_precision_gives_its_labels(validated):
    card = load_bundle(validated / "model").card
    (check,) = card.reduced_checks
    assert check.words and card.reduced_dice == check.dice
    assert (check.dice is None) == check.words.startswith("not measured")
    if check.dice is not None:  # the processor has bf16
        assert (check.backend, check.precision) == (
            "openvino",
            "bf16",
        ) and "on a case of the training data" in check.words


def test_probabilities_are_calibrated_on_unseen_voxels_or_it_is_said_why_not(validated, capsys):
    assert main(command("crossval", validated, "--folds", 2, "--output", validated / "model")) == 0
    said, calibration = capsys.readouterr().out, load_bundle(validated / "model").card.calibration
    if calibration is None:
        assert "No temperature: " in said
    else:
        assert f"Temperature {calibration.temperature:.2f}: expected calibration error" in said
        assert calibration.cases == 4 and "voxels unseen by their network" in calibration.chosen_on


def test_the_mean_is_that_of_the_folds(validated):
    dice = []
    for fold in (0, 1):
        summary = read_json(training_of(validated) / "3d_fullres" / f"fold_{fold}" / "validation" / "summary.json")
        dice += [case["ball"]["dice"] for case in summary["cases"].values()]
    assert len(dice) == 4
    candidate = Candidate(("3d_fullres",), {}, _agreements(validated, "3d_fullres"))
    assert candidate.dice == pytest.approx(np.mean([one for one in dice if one is not None]))


def _agreements(folder, configuration):
    found = {}
    for fold in (0, 1):
        summary = read_json(training_of(folder) / configuration / f"fold_{fold}" / "validation" / "summary.json")
        for case, labels in summary["cases"].items():
            found[case] = {k: Agreement(v["found"], v["true"], v["both"]) for k, v in labels.items()}
    return found


def test_the_stages_of_a_cascade_are_trained_in_order():
    assert in_order(cascade(), ["3d_cascade_fullres"]) == ("3d_lowres", "3d_cascade_fullres")
    assert in_order(cascade(), ["3d_cascade_fullres", "3d_lowres"]) == ("3d_lowres", "3d_cascade_fullres")


@pytest.mark.slow
def test_a_cascade_is_trained_on_what_its_first_stage_found_in_unseen_cases(tmp_path, capsys):
    folder = write_data_set(tmp_path, plan=cascade())
    arguments = ["--configuration", "3d_cascade_fullres", "--folds", "2"]
    assert main(command("unet", folder, "--fold", 0, *arguments)) == 2
    assert "Train all 2 folds of '3d_lowres' first" in capsys.readouterr().err
    more = ["--configurations", "3d_cascade_fullres", "--folds", "2"]
    assert main(command("crossval", folder, *more, "--output", folder / "model")) == 0
    bundle = load_bundle(folder / "model")
    assert isinstance(bundle.card, UNetCard)
    assert bundle.card.stages == ("3d_lowres", "3d_cascade_fullres")
    image = folder / "0_channel0.nii.gz"
    assert main(["segment", str(image), "--model", str(folder / "model"), "--output", str(folder / "out")]) == 0
    assert read_volume(folder / "out" / "segmentation.nii.gz").geometry.matches(read_volume(image).geometry)


def test_a_fold_alone_segments_as_it_was_validated(validated):
    fold = training_of(validated) / "3d_fullres" / "fold_0"
    assert main(command("unet", validated, "--fold", 0, "--folds", 2)) == 0
    case = next(iter(read_json(fold / "validation" / "summary.json")["cases"]))
    image = validated / f"{case[-1]}_channel0.nii.gz"
    out = validated / "out"
    model = ["--model", str(fold / "model"), "--precision", "fp32", "--backend", "torch", "--device", "cpu"]
    assert main(["segment", str(image), *model, "--output", str(out)]) == 0
    again = read_volume(out / "segmentation.nii.gz").array
    before = read_volume(fold / "validation" / f"{case}.nii.gz").array
    assert np.array_equal(again, before)
