"""An explanation in words, in the page, in pictures and in files."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from mtann.explanation.explanation import CandidateExplanation
from mtann.report.explanation import decision_words, explained_candidates, occlusion_words
from mtann.report.html import html_text
from mtann.report.occlusion_picture import occlusion_figure, occlusion_png
from mtann.report.save import RESULT_FOLDER, save_result
from mtann.report.scene import make_scene
from mtann.report.words import signed_words
from mtann.volume_io import read_volume
from unit.grids import turned
from unit.report.explanations import ALONE, BY_AND, BY_MIXTURE, make_explanation, occlusion
from unit.report.results import SPHERES, centred, make_result
from unit.report.test_html import Page

IMAGE, RESULT = make_result(centred((60, 80, 72), (2.0, 2.0, 2.0), turned(20, 0, 0)), SPHERES[:2])


def test_the_decisive_network_is_named_with_what_it_took() -> None:
    assert decision_words(BY_AND) == (
        "Every network must agree, and the lowest margin decides: the expert 1 was decisive, 0.410 above its "
        "threshold. It took 0.120; without it the score would be 1.030."
    )
    assert decision_words(BY_MIXTURE).endswith(
        "the single MTANN gave 0.500 and the expert 1 took 0.050, the most on either side."
    )
    assert "no experts" in decision_words(ALONE)
    assert [signed_words(value) for value in (0.5, -0.05, 0.0)] == ["+0.500", "−0.050", "0"]


def words(fall: float, channels: int = 1, moved_mm: float = 0.0, score: float = 0.91, *, curved: bool = False) -> str:
    candidate = replace(RESULT.candidates[0], score=score)
    one = CandidateExplanation(1, ALONE, occlusion(RESULT, 1, fall, channels))
    x, y, z = candidate.centroid_lps_mm
    names = ("t1c", "flair")[:channels]
    seen = (*names, *(f"{name}, curvature" for name in names)) if curved else names
    return " ".join(occlusion_words(one, replace(candidate, centroid_lps_mm=(x + moved_mm, y, z)), seen, names))


def test_the_fall_is_told_with_its_place_and_with_what_to_make_of_it() -> None:
    assert words(0.4) == (
        "Hiding a cube of 3.0 mm lowers the score about the peak by at most 0.400 (from 0.800), "
        "at R 34.2  A 12.0  S 45.1 mm, 0.0 mm from the candidate's centre. "
        "The candidate's own score is higher because it is the best of several peaks on one outline."
    )
    assert "No single cube carries much" in words(0.05)
    assert "outside the candidate's outline" in words(0.4, moved_mm=12.0)
    assert words(0.4, channels=2).endswith("with one channel hidden alone: t1c 0.400, flair 0.200.")
    assert words(0.4, channels=2, curved=True).endswith(
        "t1c 0.400, flair 0.200. "
        "An image was hidden with its curvature there; curvature beside the cube may still tell of it."
    )
    assert "curvature" in words(0.4, curved=True)
    assert "curvature" not in words(0.4, channels=2)
    assert "several peaks" not in words(0.4, score=0.81)
    assert words(0.0) == "Hiding no cube of 3.0 mm lowers the score."


def test_the_page_holds_each_networks_part() -> None:
    explained = explained_candidates(make_explanation(RESULT), RESULT, IMAGE)
    text = html_text(RESULT, b"png", "", explained, [("filters.png", b"png")])
    page = Page(text)
    start = page.words.index("Why these scores")
    assert "Candidate 1, score 0.910" in page.words[start:]
    row = page.words.index("expert 1", start)
    assert page.words[row : row + 4] == ["expert 1", "0.810", "0.400", "−0.120"]
    assert page.words[row + 4 : row + 6] == ["score without the decisive network", "+1.030"]
    row = page.words.index("expert 1", row + 4)
    assert page.words[row : row + 4] == ["expert 1", "0.300", "0.400", "−0.050"]
    bars = [one for one in page.every("span") if str(one.get("class")).startswith("bar")]
    assert [bar["style"] for bar in bars] == [f"width: {width}rem" for width in ("0.0", "10.0", "10.0", "1.0")]
    assert [bar["class"] for bar in bars] == ["bar", "bar took", "bar", "bar took"]
    assert len(page.every("img")) == 1 + 2 + 1
    assert "Why these scores" not in html_text(RESULT, b"png")


def test_the_map_lies_on_the_candidate_in_the_picture() -> None:
    found = occlusion(RESULT, 1)
    scene, candidate = make_scene(IMAGE, RESULT), RESULT.candidates[0]
    pixels = imread(io.BytesIO(occlusion_png(scene, candidate, found)))[..., :3]
    figure = occlusion_figure(scene, candidate, found)
    plain, mapped = (panel(pixels, figure, number) for number in (0, 1))
    size = mapped.shape[0]
    down, across = (float(np.median(part)) / size for part in np.nonzero(redder(mapped)))
    assert (down, across) == (pytest.approx(0.5, abs=0.02), pytest.approx(0.5, abs=0.02))
    # What raises the score lies three millimetres in front, in a panel of 40 mm: a little higher.
    inside = slice(round(size * 3 / 8), round(size * 5 / 8))  # without the outline, which is blue, too
    up, across = (float(np.median(part)) / size for part in np.nonzero(redder(mapped[inside, inside, ::-1])))
    assert (up, across) == (pytest.approx(1 / 8 - 3 / 40, abs=0.02), pytest.approx(1 / 8, abs=0.02))
    assert not redder(plain).any()


def redder(pixels):
    """Where red is well above blue."""
    return pixels[..., 0] > pixels[..., 2] + 0.15


def panel(pixels, figure: Figure, number: int):
    """The pixels of one panel's axes."""
    box = figure.axes[number].bbox
    rows = slice(int(pixels.shape[0] - box.y1), int(pixels.shape[0] - box.y0))
    return pixels[rows, int(box.x0) : int(box.x1)]


def test_a_slice_has_a_picture_too() -> None:
    image, result = make_result(centred((1, 120, 120), (1.0, 1.0, 5.0)), (((-30.0, 20.0, 15.0), 5.0, 0.8),))
    figure = occlusion_figure(make_scene(image, result), result.candidates[0], occlusion(result, 1))
    captions = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert captions == ["Axial  S 15.0 mm", "what the score hangs on"]


@pytest.mark.slow
def test_an_explained_result_is_a_result_and_replaceable(tmp_path: Path) -> None:
    explanation = make_explanation(RESULT, channels=2)
    for _ in range(2):
        save_result(RESULT, IMAGE, tmp_path / "run", explanation=explanation)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"explanation.json", "filters.png", "filters_expert_1.png"} <= names
    assert {"occlusion_1.nii.gz", "occlusion_2.nii.gz", "occlusion_1_input_2.nii.gz"} <= names
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    for number, one in enumerate(explanation.candidates, start=1):
        volume = read_volume(tmp_path / "run" / f"occlusion_{number}.nii.gz")
        assert volume.geometry.matches(one.occlusion.fall.geometry)
        np.testing.assert_array_equal(volume.array, one.occlusion.fall.array)
    document = json.loads((tmp_path / "run" / "explanation.json").read_text())
    first = document["candidates"][0]
    assert (first["decisive"], first["shared"]) == ("expert 1", 1.03)
    assert first["networks"][1] == {"name": "expert 1", "score": 0.81, "reference": 0.4, "change": -0.12}
    assert first["occlusion"]["greatest_fall_by_input"] == pytest.approx([0.4, 0.2])
    save_result(RESULT, IMAGE, tmp_path / "run")  # without an explanation, none is left behind
    assert {path.name for path in (tmp_path / "run").iterdir()} == set(RESULT_FOLDER.patterns[:6])
