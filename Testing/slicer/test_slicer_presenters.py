"""What the panel decides, without any widget: matching of channels, warnings, words, expectations."""

from dataclasses import replace

import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

from panels import ONE, TWO
from results import make_candidate

from mtann.errors import SettingsError
from MTANNDetectLib.Presenters.InputsPresenter import ImageFacts, matchChannels, noteOn, whatIsMissing
from MTANNDetectLib.Presenters.ReviewPresenter import nextUndecided, possible
from MTANNDetectLib.Presenters.RunPresenter import (
    Clock,
    durationInWords,
    expectation,
    expectationInWords,
    measuredRate,
    thresholdFromText,
    workVoxels,
)
from MTANNDetectLib.Review.Findings import Finding

pytestmark = pytest.mark.slicer


def _images(*names, **more):
    return [ImageFacts(str(number), name, **more) for number, name in enumerate(names)]


def _matched(channels, *names):
    images = _images(*names)
    return {channel: names[int(number)] for channel, number in matchChannels(channels, images).items()}


@pytest.mark.parametrize(
    ("channels", "names", "matched"),
    [
        (("t1", "t1c"), ("4: T1 post gd", "3: T1 MPRAGE"), {"t1": "3: T1 MPRAGE", "t1c": "4: T1 post gd"}),
        (("t1", "t1c"), ("T1+C", "T1"), {"t1": "T1", "t1c": "T1+C"}),
        (("flair", "t2"), ("T2 FLAIR", "T2w TSE"), {"flair": "T2 FLAIR", "t2": "T2w TSE"}),
        (("flair",), ("localizer", "FLAIR_3D"), {"flair": "FLAIR_3D"}),
        (("ct",), ("chest CT 1mm",), {"ct": "chest CT 1mm"}),
        # No name tells; there is one image for one channel.
        (("flair",), ("scan",), {"flair": "scan"}),
        # Two images for one channel: nobody can tell.
        (("flair",), ("scan", "other"), {}),
        (("a", "b"), ("one", "two"), {"a": "one", "b": "two"}),
        (("my channel",), ("MY CHANNEL 2", "x"), {"my channel": "MY CHANNEL 2"}),
    ],
)
def test_channels_are_matched_by_name_else_by_order(channels, names, matched):
    assert _matched(channels, *names) == matched


def test_the_series_description_counts_where_the_name_does_not_tell():
    images = [ImageFacts("a", "5: unnamed", series="AX FLAIR"), ImageFacts("b", "6: unnamed", series="AX T1")]
    assert matchChannels(("t1", "flair"), images) == {"t1": "b", "flair": "a"}


def test_unusable_images_are_never_matched():
    assert matchChannels(("flair",), _images("FLAIR", problem="empty")) == {}


@pytest.mark.parametrize(("overlap", "warned"), [(0.89, True), (0.9, False), (1.0, False)])
def test_little_overlap_is_warned_of(overlap, warned):
    first, other = _images("FLAIR", "T1")
    note = noteOn(replace(other, overlap=overlap), first, 0, "t1")
    assert ("covers only" in note) is warned


@pytest.mark.parametrize(("spacing", "warned"), [(2.0, False), (2.01, True), (6.0, True)])
def test_coarse_slices_are_warned_of(spacing, warned):
    (image,) = _images("FLAIR", spacingMm=(0.5, 0.5, spacing))
    assert ("small lesions may be missed" in noteOn(image, image, 1.0, "flair")) is warned
    assert noteOn(image, image, 0.0, "flair") == ""


def test_a_name_of_another_channel_is_warned_of():
    (image,) = _images("T2 TSE")
    assert noteOn(image, image, 0, "flair") == "Its name says another kind of image than flair: check it."
    assert noteOn(image, image, 0, "t2") == noteOn(image, image, 0, "my channel") == ""


def test_what_cannot_be_used_is_all_that_is_said():
    (image,) = _images("T2 TSE", problem="It is empty.", bends=True)
    assert noteOn(image, image, 0, "flair") == "It is empty."
    assert whatIsMissing(("flair",), {"flair": image}).startswith("The image for flair cannot be used")
    assert whatIsMissing(("flair",), {"flair": None}) == "Choose an image for flair."


def test_the_work_is_counted_on_the_models_grid():
    assert workVoxels(ONE, (100, 200, 300), (0.5, 0.5, 5)) == 6_000_000
    assert workVoxels(TWO, (100, 200, 300), (0.5, 0.5, 5)) == 200 * 400 * 60


def test_a_measured_speed_gives_back_the_time_that_was_measured():
    rate = measuredRate(replace(TWO, members=3), 2e6, 36.0)
    model = replace(TWO, members=3, spacingMm=1.0)
    expected = expectation(model, (100, 100, 200), (1, 1, 1), "cpu", {"mtann/two/cpu": rate})
    assert expected.seconds == pytest.approx(36.0)
    assert expected.measured
    assert not expectation(model, (100, 100, 200), (1, 1, 1), "cuda", {"mtann/two/cpu": rate}).measured
    assert expectationInWords(expected) == "Expected: about 35 s and 0.6 GB of memory, as measured here."


def test_curvature_and_earlier_answers_cost_time_and_memory():
    plain, curved = ONE, replace(ONE, derived=5)
    assert curved.inputs == len(ONE.channels) + 5
    first, more = (expectation(model, (100, 100, 100), (1, 1, 1), "cpu", {}) for model in (plain, curved))
    assert more.seconds == pytest.approx(first.seconds * curved.inputs / plain.inputs)
    assert more.bytes - first.bytes == pytest.approx(5 * 1e6 * 4 * 8)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (7.4, "7 s"), (23, "25 s"), (89, "90 s"), (90, "2 min"), (300, "5 min")]
)
def test_durations_are_told_roughly(seconds, words):
    assert durationInWords(seconds) == words


def test_the_time_left_is_told_once_it_can_be():
    clock = Clock(100.0)
    assert clock.inWords(102.0, 0.5, "Scanning") == "Scanning"
    assert clock.inWords(110.0, 0.01, "Scanning") == "Scanning"
    assert clock.inWords(110.0, 0.25, "Scanning") == "Scanning, about 30 s left"


def test_thresholds_are_read_as_people_write_them():
    assert thresholdFromText("  ") is None
    assert thresholdFromText("0.25") == thresholdFromText("0,25") == 0.25
    for wrong in ("a", "nan", "inf", "1.2.3"):
        with pytest.raises(SettingsError, match=f"found '{wrong}'"):
            thresholdFromText(wrong)


def test_the_next_finding_that_waits_follows_in_the_list_or_begins_it():
    findings = [
        Finding(make_candidate(number, (0.0, 0.0, 0.0), score, True), status)
        for number, score, status in ((1, 0.9, "new"), (2, 0.8, "accepted"), (3, 0.7, "new"), (4, 0.1, "new"))
    ]
    assert nextUndecided(findings, 1, 0.5) == 3
    assert nextUndecided(findings, 3, 0.5) == 1
    assert nextUndecided(findings, 3, 0.0) == 4
    assert nextUndecided(findings[1:2], 2, 0.0) is None


def test_without_a_result_nothing_can_be_pressed():
    assert not any(vars(possible(False, (), "name", True, True)).values())
