"""The training report holds the numbers, shows what was missed, and loads nothing."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mtann.report.training_page import training_page
from mtann.report.training_plots import curve_figure, froc_figure, scores_figure
from unit.report.test_html import Page
from unit.report.trainings import make_training


def rows_of(words: list[str], start: str, columns: int, count: int) -> list[list[str]]:
    begin = words.index(start) + 1
    return [words[begin + row * columns :][:columns] for row in range(count)]


def test_the_summary_says_what_was_found_and_on_which_data() -> None:
    # In two cases, two false alarms (0.7 and 0.65) above the lesions of 0.6 and 0.3: one a case.
    assert make_training().summary == (
        "Finds 75% at 1, 75% at 2 and 75% at 4 false alarms a case, of 4 lesions in 2 cases "
        "(out of fold, on training cases that the networks asked had not seen)."
    )
    assert "flatter" in make_training(seen=True).summary


def test_every_lesion_is_listed_with_its_fate_at_each_threshold() -> None:
    words = Page(training_page(make_training())).words
    assert rows_of(words, "High sensitivity", 7, 4) == [
        ["case 1", "1", "14.0 mm", "R 34.2 A 12.0 S 45.1 mm", "0.900", "found", "found"],
        ["case 1", "2", "8.0 mm", "L 28.0 P 30.0 S 20.0 mm", "0.300", "missed", "found"],
        ["case 2", "1", "6.0 mm", "R 20.0 P 40.0 I 5.0 mm", "0.600", "found", "found"],
        ["case 2", "2", "13.0 mm", "L 40.0 A 20.0 S 10.0 mm", "–", "missed", "missed"],
    ]
    assert rows_of(words, "False alarms a case", 4, 2) == [
        ["balanced", "0.500", "50 % of 4", "1.00"],
        ["high sensitivity", "0.250", "75 % of 4", "12.00"],
    ]


def test_missed_lesions_and_strong_false_alarms_are_shown_the_largest_and_strongest_first() -> None:
    page = Page(training_page(make_training()))
    captions = [str(picture["alt"]).removeprefix("Three planes: ") for picture in page.every("img")][2:]
    assert captions == [
        "case 2, lesion 2, 13.0 mm: no candidate, at L 40.0  A 20.0  S 10.0 mm",
        "case 1, lesion 2, 8.0 mm: score 0.300, at L 28.0  P 30.0  S 20.0 mm",
        *(
            f"case {case}: score {score}, 5.2 mm, at L 10.0  A 50.0  S 15.0 mm"
            for case, score in ((1, "0.700"), (2, "0.650"), (1, "0.200"))
        ),
    ]


def test_what_there_is_none_of_is_said() -> None:
    report = make_training()
    text = training_page(replace(report, lesions=report.lesions[:1], strongest=(), false_alarms=()))
    assert Page(text).words.count("None.") == 2
    nothing_found = replace(report, operating_points=(), lesions=report.lesions[3:])
    assert "None: no lesion was found." in training_page(nothing_found)
    for gone in ("Would more lesions help?", "expert"):
        assert gone not in text.partition("Model and settings")[0]
    looked_for = replace(
        report,
        card=report.card.model_copy(update={"training": report.card.training.model_copy(update={"max_experts": 2})}),
    )
    assert "none raised the sensitivity on unseen cases" in training_page(looked_for)


def test_experts_are_shown_with_number_gain_and_example() -> None:
    words = Page(training_page(make_training(with_experts=True))).words
    assert "1 expert, one a type of false alarm" in words
    assert any("Learnt from 81 false alarms of its type; changes the mean sensitivity by +0.058" in w for w in words)
    # Alone, the false alarms above 0.6 cost the second lesion at the rates 1/8 to 1/2 and the third at those.
    text = " ".join(words)
    assert "0.750 with experts, 0.536 by the single MTANN alone." in text


def test_the_learning_curve_is_told_in_numbers_and_words() -> None:
    words = Page(training_page(make_training(with_curve=True))).words
    assert rows_of(words, "95 % interval", 4, 4)[1] == ["50 %", "2", "0.200", "0.200 to 0.200"]
    assert any("more lesions are likely to help" in text for text in words)


def test_flattering_figures_and_notes_are_told_before_the_figures() -> None:
    text = training_page(make_training(seen=True))
    assert text.index("Give lesions of at least two patients") < text.index("<img")
    assert text.index("One lesion lies outside.") < text.index("<img")
    assert "Delete it before passing the model on" in text


def test_is_self_contained_and_lets_no_markup_through() -> None:
    evil = "<script>alert(1)</script>"
    report = make_training(with_experts=True, with_curve=True)
    lesions = tuple(replace(one, case=evil) for one in report.lesions)
    text = training_page(replace(report, lesions=lesions))
    page = Page(text)
    assert not {"script", "link", "iframe", "a"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?:|url\(|@import", text)
    assert page.words.count(evil) == 4
    assert all(picture["alt"] and str(picture["src"]).startswith("data:image/png") for picture in page.every("img"))


def test_the_froc_plot_has_the_curve_and_the_operating_points() -> None:
    report = make_training(with_experts=True)
    (axes,) = froc_figure(report).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert set(lines) == {"single MTANN", "with experts", "balanced", "high sensitivity (at 12)"}
    assert lines["balanced"].get_xydata().tolist() == [[1.0, 0.5]]
    assert lines["high sensitivity (at 12)"].get_xydata().tolist() == [[10.0, 0.75]]
    x, y = lines["single MTANN"].get_data()
    for rate in (0.2, 0.7, 1.2, 4.0):
        assert y[np.searchsorted(x, rate, side="right") - 1] == pytest.approx(report.single.sensitivity_at(rate))


def test_the_histograms_count_every_score_once() -> None:
    lesions, alarms = scores_figure(make_training()).axes
    assert sum(bar.get_height() for bar in lesions.patches) == 3
    assert sum(bar.get_height() for bar in alarms.patches) == 5
    assert lesions.get_title(loc="left") == "lesions: 3 with a candidate, 1 without"
    assert [line.get_xdata()[0] for line in lesions.lines] == [0.5, 0.25]


def test_the_curve_plot_has_every_point() -> None:
    curve = make_training(with_curve=True).curve
    assert curve is not None
    line = curve_figure(curve).axes[0].lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[1, 0.1], [2, 0.2], [3, 0.3], [4, 0.4]])
