"""``mtann train unet`` from the command line: the files, the errors, and going on."""

import json

import numpy as np
import pytest
from unet_data_sets import QUICK, command, read_json, training_of, write_data_set
from unet_training import small_plan

from mtann.cli import main
from mtann.errors import CasesError
from mtann.models.bundle import load_bundle
from mtann.models.unet_card import UNetCard
from mtann.unets.files import read_json as read_whole
from mtann.unets.planned import read_cases
from mtann.volume_io import read_volume


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = write_data_set(tmp_path_factory.mktemp("balls"))
    out = training_of(folder)
    assert main(command("unet", folder, "--fold", 1, "--folds", 2, "--json")) == 0
    return folder, out / "3d_fullres" / "fold_1"


def test_a_fold_writes_log_plot_validation_and_a_model(trained):
    folder, fold = trained
    names = {path.name for path in fold.iterdir() if not path.name.startswith("events.")}
    assert names == {"checkpoint.pt", "log.jsonl", "progress.png", "settings.json", "validation", "model"}
    splits = read_json(training_of(folder) / "splits.json")["held_out"]
    summary = read_json(fold / "validation" / "summary.json")
    assert sorted(summary["cases"]) == sorted(splits[1])
    for case in splits[1]:
        number = case[-1]
        image = read_volume(folder / f"{number}_channel0.nii.gz")
        found = read_volume(fold / "validation" / f"{case}.nii.gz")
        true = read_volume(folder / f"{number}_labels.nii.gz").array > 0
        assert found.geometry.matches(image.geometry)
        both = int(np.count_nonzero((found.array > 0) & true))
        expected = {"found": int((found.array > 0).sum()), "true": int(true.sum()), "both": both}
        assert {key: summary["cases"][case]["ball"][key] for key in expected} == expected


def test_the_model_of_a_fold_says_what_it_learnt_from(trained):
    folder, fold = trained
    bundle = load_bundle(fold / "model")
    card = bundle.card
    assert isinstance(card, UNetCard)
    assert (card.folds, card.configurations, card.training_cases) == (("1",), ("3d_fullres",), 2)
    held_out = read_json(training_of(folder) / "splits.json")["held_out"][1]
    hashes = {image.sha256 for image in card.training_data}
    for number in range(4):
        own = read_volume(folder / f"{number}_channel0.nii.gz").sha256
        assert (own in hashes) == (f"case{number}" not in held_out)
    text = json.dumps(card.model_dump(mode="json"))
    assert str(folder) not in text
    assert "case0" not in text


def test_the_same_command_again_trains_nothing_anew(trained, capsys):
    folder, fold = trained
    before = (fold / "checkpoint.pt").stat().st_mtime_ns, (fold / "validation" / "summary.json").stat().st_mtime_ns
    assert main(command("unet", folder, "--fold", 1, "--folds", 2)) == 0
    after = (fold / "checkpoint.pt").stat().st_mtime_ns, (fold / "validation" / "summary.json").stat().st_mtime_ns
    assert before == after
    assert "progress.png" in capsys.readouterr().out


def test_refused_settings_do_not_replace_those_of_the_checkpoint(trained, capsys):
    folder, fold = trained
    before = (fold / "settings.json").read_text()
    assert main(command("unet", folder, "--fold", 1, "--folds", 2, "--epochs", 7)) == 2
    assert "other cases, plan or settings" in capsys.readouterr().err
    assert (fold / "settings.json").read_text() == before


def test_all_learns_from_every_case_and_says_that_its_figures_flatter(tmp_path, capsys):
    folder = write_data_set(tmp_path, 2)
    assert main(command("unet", folder, "--fold", "all", "--output", tmp_path / "out")) == 0
    card = load_bundle(tmp_path / "out" / "3d_fullres" / "fold_all" / "model").card
    assert isinstance(card, UNetCard)
    assert card.training_cases == 2
    assert card.measured == ()
    assert "flatters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--fold", "5"], "There is no fold '5'. Give --fold a number from 0 to 4, or 'all'."),
        (["--fold", "0"], "5 folds need at least 5 patients, but the cases are of 4"),
        (["--fold", "0", "--folds", "2", "--configuration", "2d"], "has no configuration '2d'. Use one of: 3d_fullres"),
        (["--fold", "0", "--folds", "2", "--learning-rate", "-1"], "learning_rate"),
    ],
)
def test_what_a_user_can_mend_is_said(trained, tmp_path, capsys, more, said):
    folder, _ = trained
    assert main(command("unet", folder, "--output", tmp_path / "out", *more)) == 2
    assert said in capsys.readouterr().err


def test_a_missing_plan_is_said(tmp_path, capsys):
    folder = write_data_set(tmp_path)
    (folder / "plan.json").unlink()
    assert main(command("unet", folder, "--fold", 0)) == 2
    assert "has no plan.json. Make one with 'mtann plan'" in capsys.readouterr().err


def test_labels_that_the_plan_does_not_know_are_said(tmp_path, capsys):
    folder = write_data_set(tmp_path, plan=small_plan(labels={"other": (7,)}))
    assert main(command("unet", folder, "--fold", 0, "--folds", 2)) == 2
    assert "hold the value(s) 1, but the plan knows 0, 7" in capsys.readouterr().err


def raw_folder(folder, channel="channel0"):
    """The same cases as nnU-Net keeps them."""
    cases = write_data_set(folder / "csv", 2)
    raw = folder / "Dataset001_Balls"
    for name in ("imagesTr", "labelsTr"):
        (raw / name).mkdir(parents=True)
    for number in (0, 1):
        (cases / f"{number}_channel0.nii.gz").rename(raw / "imagesTr" / f"c{number}_0000.nii.gz")
        (cases / f"{number}_labels.nii.gz").rename(raw / "labelsTr" / f"c{number}.nii.gz")
    document = {"channel_names": {"0": channel}, "labels": {"background": 0, "ball": 1}, "file_ending": ".nii.gz"}
    (raw / "dataset.json").write_text(json.dumps({**document, "numTraining": 2}))
    return raw


def test_cases_are_read_from_the_raw_folder_of_nnunet(tmp_path):
    raw = raw_folder(tmp_path)
    first, second = read_cases(raw, small_plan())
    assert (first.case, second.patient) == ("c0", "c1")
    assert first.channels == (raw / "imagesTr" / "c0_0000.nii.gz",)
    assert second.labels == raw / "labelsTr" / "c1.nii.gz"


def test_a_raw_folder_of_other_channels_is_refused(tmp_path):
    with pytest.raises(CasesError, match="has the channels t2, but the plan those of another data set: channel0"):
        read_cases(raw_folder(tmp_path, "t2"), small_plan())


@pytest.mark.slow
def test_from_a_raw_folder_over_a_plan_to_a_model_that_segments(tmp_path):
    raw = raw_folder(tmp_path)
    assert main(["plan", "--cases", str(raw), "--output", str(tmp_path / "plan")]) == 0
    words = ["crossval", "--plan", tmp_path / "plan", "--cases", raw, "--output", tmp_path / "model", "--folds", 2]
    assert main([str(word) for word in [*words, "--configurations", "3d_fullres", *QUICK]]) == 0
    image = raw / "imagesTr" / "c0_0000.nii.gz"
    words = ["segment", image, "--model", tmp_path / "model", "--output", tmp_path / "out", "--device", "cpu"]
    assert main([str(word) for word in words]) == 0
    assert read_volume(tmp_path / "out" / "segmentation.nii.gz").geometry.matches(read_volume(image).geometry)


def test_a_damaged_small_file_counts_as_none(tmp_path):
    (tmp_path / "summary.json").write_text("{")
    assert read_whole(tmp_path / "summary.json") == {}
