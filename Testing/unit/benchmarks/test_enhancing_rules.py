"""What counts as a hit on a made-up enhancing lesion, and the threshold at a rate of false alarms."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import enhancing_lesion
from enhancing_lesion import CaseOutcome, LesionOutcome, assign, hits, read_models, share, threshold_at

from mtann.commands.demo import DEMO_MODEL
from mtann.geometry import Geometry
from mtann.volume import Volume


@pytest.fixture(scope="module")
def labels() -> Volume:
    """A hollow cube (value 3) of x, y, z from 4 to 10 with walls of one voxel, and a single voxel (value 8)."""
    array = np.zeros((20, 20, 24), dtype=np.uint16)
    array[4:11, 4:11, 4:11] = 3
    array[5:10, 5:10, 5:10] = 0
    array[7, 7, 20] = 8
    return Volume(array, Geometry(array.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))


def test_inside_the_hole_and_two_millimetres_off_are_hits(labels):
    places = [(7, 7, 7), (12, 7, 7), (13, 7, 7), (20, 9, 7), (20, 9, 8), (20, 7, 7)]
    best, alarms = assign(labels, places, [0.2, 0.5, 0.9, 0.3, 0.8, 0.1])
    assert best == {3: 0.5, 8: 0.3}
    # Three millimetres from the cube, and the root of five from the voxel.
    assert alarms == [2, 4]


def test_without_lesions_everything_is_a_false_alarm(labels):
    assert assign(labels.with_array(np.zeros_like(labels.array)), [(1, 1, 1)], [0.4]) == ({}, [0])


def test_without_candidates_every_lesion_is_missed(labels):
    assert assign(labels, [], []) == ({3: -np.inf, 8: -np.inf}, [])


def cases(*alarms: list[float]) -> list[CaseOutcome]:
    return [CaseOutcome("", (), tuple((score, (0, 0, 0)) for score in scores), {}) for scores in alarms]


def test_the_threshold_lets_through_just_so_many_false_alarms():
    two = cases([0.9, 0.7, 0.1], [0.8])
    assert [case.alarms_at(threshold_at(two, 1.0)) for case in two] == [1, 1]
    assert 0.7 < threshold_at(two, 1.0) < 0.8
    assert threshold_at(two, 2.0) == -np.inf


def test_a_lesion_without_a_candidate_is_missed_at_every_threshold():
    lesions = [LesionOutcome("", "ring", 20.0, (0, 0, 0), score) for score in (0.5, 0.2, -np.inf)]
    assert hits(lesions, 0.5) == [True, False, False]
    assert share(lesions, -np.inf) == "  2 of   3 (67%)"


def test_models_are_named_by_their_background():
    models = read_models([f"patient19={DEMO_MODEL}", DEMO_MODEL])
    assert set(models) == {"patient19", "any"}


def test_what_is_labelled_but_not_asked_for_is_neither_lesion_nor_false_alarm(labels, monkeypatch):
    found = [SimpleNamespace(peak_lps_mm=place, score=0.5) for place in [(7, 7, 7), (20, 7, 7), (15, 15, 15)]]
    monkeypatch.setattr(enhancing_lesion, "detect", lambda *given, **named: SimpleNamespace(candidates=found))
    model = SimpleNamespace(card=SimpleNamespace(operating_points=()))
    case = enhancing_lesion.run_case("", labels, labels, {8: "nodule"}, model, "cpu")
    assert [(lesion.kind, lesion.score) for lesion in case.lesions] == [("nodule", 0.5)]
    assert [place for _, place in case.alarms] == [(15, 15, 15)]


def test_a_background_without_a_model_is_said_before_anything_is_scanned(monkeypatch, capsys):
    given = ["--model", f"patient07={DEMO_MODEL}", "--backgrounds", "TCGA-FG-6692"]
    monkeypatch.setattr(sys, "argv", ["enhancing_lesion", *given])
    with pytest.raises(SystemExit):
        enhancing_lesion.main()
    assert "no model is given for TCGA-FG-6692" in capsys.readouterr().err
