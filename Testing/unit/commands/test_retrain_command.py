"""``mtann retrain``."""

import json

import pytest
from small_models import BALLS, ball_model, balls

from mtann.cli import main
from mtann.models.bundle import save_bundle
from mtann.volume_io import write_volume


@pytest.fixture
def files(tmp_path):
    save_bundle(ball_model(), tmp_path / "model")
    write_volume(balls(30).volume, tmp_path / "scan.nii.gz")
    x, y, z = BALLS[0].centre_lps_mm
    (tmp_path / "clicks.csv").write_text(f"x_lps_mm,y_lps_mm,z_lps_mm\n{x},{y},{z}\n")
    (tmp_path / "cases.csv").write_text("case,patient,t1c,lesions,non_lesions\na,a,scan.nii.gz,clicks.csv,\n")
    return tmp_path


def retrain(files, *more: str) -> int:
    model, cases, output = (str(files / name) for name in ("model", "cases.csv", "new"))
    return main(["retrain", "--model", model, "--cases", cases, "--output", output, "--device", "cpu", *more])


def test_a_click_makes_a_new_model(files, capsys):
    assert retrain(files, "--steps", "5", "--name", "better", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["name"], card["version"], card["training"]["steps"]) == ("better", "1.1.0", 5)
    assert card["training_lesions"] == ball_model().card.training_lesions + 1
    assert main(["models", "verify", str(files / "new")]) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,patient,t1c,lesions\na,a,scan.nii.gz,\n", "nothing new to learn"),
        ("case,patient,flair,lesions\na,a,scan.nii.gz,clicks.csv\n", "lacks the column(s) t1c"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line_and_nothing_is_written(files, capsys, text, message):
    (files / "cases.csv").write_text(text)
    assert retrain(files) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error
    assert not (files / "new").exists()
