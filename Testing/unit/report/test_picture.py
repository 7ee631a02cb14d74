"""The picture says and shows what the result holds."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from mtann.detection.candidate import DetectionResult, ModelReference
from mtann.report.picture import draw_overlay, overlay_figure
from mtann.report.planes import AXIAL, CORONAL, View
from mtann.report.scene import likelihood_colours, make_scene
from mtann.volume import Volume
from unit.grids import turned
from unit.report.results import OBLIQUE, SPHERES, centred, make_result

IMAGE, RESULT = make_result()


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def captions(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def test_rows_are_the_best_candidates_with_their_numbers_in_words() -> None:
    figure = overlay_figure(IMAGE, RESULT)
    said = texts(figure)
    assert said[0] == "5 candidates at or above the threshold 0.5"
    assert "The best 4 are shown." in said
    assert [text for text in said if text.isdigit()] == ["1", "2", "3", "4"]
    assert any(
        text.split("     ")
        == ["score 0.91", "14.0 × 12.6 mm axial, 14.7 mm longest, 1437 mm³", "R 34.2  A 12.0  S 45.1 mm"]
        for text in said
    )
    assert captions(figure)[:4] == [
        "Axial  S 45.1 mm",
        "Coronal  A 12.0 mm",
        "Sagittal  R 34.2 mm",
        "Axial, enlarged; image and outline only",
    ]
    assert len(captions(figure)) == 16
    assert "Model brain-metastases 1.2.0    threshold 0.5" in said
    assert "Research use only. Not a medical device." in said


def test_without_candidates_the_middle_of_the_image_is_shown() -> None:
    image, result = make_result(OBLIQUE, ())
    figure = overlay_figure(image, result)
    assert texts(figure)[0] == "No candidate reaches the threshold 0.5"
    assert [caption.split()[0] for caption in captions(figure)] == ["Axial", "Coronal", "Sagittal"]


def test_below_the_threshold_the_best_candidate_is_shown_as_such() -> None:
    image, result = make_result(threshold=0.95)
    said = texts(overlay_figure(image, replace(result, warnings=("No mask.",))))
    assert said[0] == "No candidate reaches the threshold 0.95"
    assert "The best of 6 candidates below it is shown." in said
    assert any(text.startswith("score 0.91 (below threshold)") for text in said)
    assert "1 warning: see the report" in said


def test_one_slice_has_one_plane() -> None:
    sphere = ((-30.0, 20.0, 15.0), 5.0, 0.8)
    image, result = make_result(centred((1, 200, 160), (1.0, 1.0, 5.0)), (sphere,))
    figure = overlay_figure(image, result)
    assert captions(figure) == ["Axial  S 15.0 mm", "Axial, enlarged; image and outline only"]
    assert "The image is one slice, so other planes are left out." in texts(figure)


def test_nothing_leaves_the_page_or_its_panel() -> None:
    strange = ModelReference("$x_1$ " + "very long name " * 20, "1.0", "")
    figure = overlay_figure(IMAGE, replace(RESULT, model=strange, warnings=("a", "b")))
    figure.canvas.draw()
    page = figure.bbox
    for text in figure.texts:
        box = text.get_window_extent()
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1, text.get_text()
    for axes in figure.axes:
        for text in axes.texts:
            box = text.get_window_extent()
            assert axes.bbox.x0 - 1 <= box.x0, text.get_text()
            assert box.x1 <= axes.bbox.x1 + 1, text.get_text()


def test_outlines_have_the_area_of_the_candidate() -> None:
    geometry = centred((100, 100, 100), (1.0, 1.0, 1.0), turned(20, 0, 0))
    sphere = ((-20.0, -10.0, 20.0), 9.0, 0.8)
    image, result = make_result(geometry, (sphere,))
    for plane in (AXIAL, CORONAL):
        view = View(plane, sphere[0], 60.0, 60.0, 0.5)
        ((found, _, share),) = make_scene(image, result).outlines(view)
        assert found == result.candidates[0]
        assert np.count_nonzero(share >= 0.5) * 0.25 == pytest.approx(np.pi * 81, rel=0.05)
    assert make_scene(image, result).outlines(View(AXIAL, (0.0, 0.0, -20.0), 60.0, 60.0, 1.0)) == []


def test_an_outline_is_drawn_from_its_own_part_of_the_view_alone() -> None:
    scene = make_scene(IMAGE, RESULT)
    view = View(AXIAL, (0.0, 0.0, 20.0), 150.0, 180.0, 0.5)
    cut = scene.outlines(view)
    assert cut
    for candidate, part, share in cut:
        whole = view.resample(scene._alone(candidate.id), outside=0.0)
        left, _, _, top = part.extent_uv_mm
        column = round((left - view.extent_uv_mm[0]) / view.pixel_mm)
        row = round((top - view.extent_uv_mm[3]) / view.pixel_mm)
        np.testing.assert_allclose(
            share, whole[row : row + share.shape[0], column : column + share.shape[1]], atol=1e-9
        )
        # Nothing lies outside it, and it is a small part of the view.
        assert share.sum() == pytest.approx(whole.sum())
        assert share.size < whole.size / 10


def test_little_likelihood_leaves_the_image_clean() -> None:
    opacity = likelihood_colours([-1.0, 0.0, 0.2, 0.5, 1.0, 3.0])[:, 3]
    assert opacity[:3].tolist() == [0, 0, 0]
    assert 0 < opacity[3] < opacity[4] == opacity[5] < 1


@pytest.mark.parametrize(("highest", "top"), [(0.0, 1.0), (0.03, 0.1), (0.42, 0.5), (0.93, 1.0), (1.4, 1.0)])
def test_colour_scale_ends_at_one_unless_all_is_weak(highest: float, top: float) -> None:
    likelihood = RESULT.likelihood.with_array(np.where(RESULT.candidate_map.array == 1, highest, 0).astype(np.float32))
    assert make_scene(IMAGE, replace(RESULT, likelihood=likelihood)).top == pytest.approx(top)


def test_grey_window_ignores_background_and_few_bright_voxels() -> None:
    array = np.zeros((40, 40, 40), np.float32)
    array[10:30, 10:30, 10:30] = np.random.default_rng(0).uniform(100, 200, (20, 20, 20))
    array[20, 20, 20] = 1e5
    image = Volume(array, centred((40, 40, 40), (1.0, 1.0, 1.0)))
    low, high = make_scene(image, empty_result(image)).window
    assert 99 <= low <= 105
    assert 195 <= high <= 201


def empty_result(image: Volume) -> DetectionResult:
    zeros = np.zeros(image.geometry.shape_zyx, np.float32)
    return replace(
        RESULT,
        likelihood=image.with_array(zeros),
        candidate_map=image.with_array(zeros.astype(np.uint16)),
        candidates=(),
    )


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_a_constant_image_still_gives_a_picture(value: float) -> None:
    image, result = make_result(OBLIQUE, SPHERES[:1])
    constant = image.with_array(np.full(image.array.shape, value))
    assert texts(overlay_figure(constant, result))[0].startswith("1 candidate at")


def test_pixels_show_the_outline_on_the_patients_right(tmp_path: Path) -> None:
    image, result = make_result(OBLIQUE, SPHERES[:1])
    path = tmp_path / "overlay.png"
    draw_overlay(image, result, path)
    pixels = imread(path)[..., :3]
    figure = overlay_figure(image, result)
    box = figure.axes[0].bbox
    rows = slice(int(pixels.shape[0] - box.y1), int(pixels.shape[0] - box.y0))
    axial = pixels[rows, int(box.x0) : int(box.x1)]
    cyan = (axial[..., 2] > 0.6) & (axial[..., 1] > 0.5) & (axial[..., 0] < 0.45)
    across, down = np.nonzero(cyan)[1].mean() / cyan.shape[1], np.nonzero(cyan)[0].mean() / cyan.shape[0]
    assert cyan.sum() > 50
    assert across < 0.4  # the patient's right
    assert 0.3 < down < 0.5  # a little in front of the middle


def test_equal_results_give_equal_bytes() -> None:
    small = replace(RESULT, candidates=RESULT.candidates[:1])
    first, second = io.BytesIO(), io.BytesIO()
    for file in (first, second):
        draw_overlay(IMAGE, small, file)  # type: ignore[arg-type]
    assert first.getvalue() == second.getvalue()
