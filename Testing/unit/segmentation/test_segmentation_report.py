"""Pictures and reports of segmentations say and show what was found, counted by hand."""

import dataclasses
import json

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from mtann.errors import OutputError
from mtann.report.planes import AXIAL, View
from mtann.segmentation.colours import label_colour
from mtann.segmentation.files import save_segmentation
from mtann.segmentation.measures import measure_labels
from mtann.segmentation.picture import segmentation_figure, share_of, shown_labels
from mtann.segmentation.result import SegmentedLabel
from unit.grids import grid, turned
from unit.segmentation.segmentations import GRID, bars, image, regions, segmentation


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def captions(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def numbers_in(axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_text().isdigit()]


def test_components_and_fullest_slices_are_counted_by_hand():
    lesion, liver, edema = measure_labels(segmentation())
    assert (lesion.components, lesion.label.volume_mm3, lesion.largest_mm3) == (2, 61 * 6, 60 * 6)
    assert (liver.components, liver.largest_mm3) == (1, 40 * 6)
    assert (edema.components, edema.box, edema.places) == (0, None, ())
    # Of the bar's slices, all as full as each other, the middle one; its middle in the two other directions.
    (sagittal, coronal, axial) = lesion.places
    assert axial == pytest.approx((-20 + 10, -30 + 2 * 7.5, 5 + 3 * 5))
    assert coronal == pytest.approx((-20 + 10, -30 + 2 * 8, 5 + 3 * 5))
    assert sagittal == pytest.approx((-20 + 10, -30 + 2 * 7.5, 5 + 3 * 5))


def test_the_fullest_slice_of_a_turned_image_lies_within_the_label():
    turned_grid = grid((20, 30, 40), (1.0, 2.0, 3.0), turned(25, 10, 0), (3.0, 4.0, 5.0))
    for label in measure_labels(segmentation(grid=turned_grid))[:2]:
        for place in label.places:
            index = np.round(turned_grid.index_from_lps(np.array(place))).astype(int)
            assert bars()[tuple(index)] == label.number


def test_regions_are_measured_by_their_own_voxels():
    whole, core = measure_labels(regions())
    assert (whole.components, whole.largest_mm3) == (1, 64 * 6)
    assert (core.components, core.largest_mm3) == (1, 8 * 6)


def test_a_share_is_that_of_the_voxels_in_the_plane():
    lesion = measure_labels(segmentation())[0]
    view = View(AXIAL, lesion.places[2], 60.0, 60.0, 0.25)
    part, share = share_of(lesion, view)
    assert share.max() == pytest.approx(1.0)
    assert np.count_nonzero(share >= 0.5) * part.pixel_mm**2 == pytest.approx(5 * 4 * 2, rel=0.03)
    above = View(AXIAL, (-10.0, -15.0, 5 + 3 * 9.0), 60.0, 60.0, 0.25)
    cut = share_of(lesion, above)
    assert cut is None or cut[1].max() < 0.5


def test_rows_are_labels_in_the_slices_that_hold_most_of_them():
    figure = segmentation_figure(image(), segmentation())
    said = texts(figure)
    assert said[0] == "2 of 3 labels found"
    assert any(text.startswith("lesion     0.37 mL in 2 components     R 10.0  A 15.0  S 20.0 mm") for text in said)
    assert any(text.startswith("liver     0.24 mL in 1 component     L 4.5") for text in said)
    assert [caption.split("  ")[0] for caption in captions(figure)] == [
        "Axial", "Coronal", "Sagittal", "Axial, enlarged; image and outlines only",
    ] * 2  # fmt: skip
    assert captions(figure)[0] == "Axial  S 20.0 mm"
    assert numbers_in(figure.axes[0]) == ["1"]  # the bar of the liver lies in other slices
    assert "3  edema (none)" in said and "Research use only. Not a medical device." in said


def test_overlapping_regions_are_both_drawn_the_inner_one_on_top():
    figure = segmentation_figure(image(), regions())
    colours = [to_hex(line.get_edgecolor()[0]) for line in figure.axes[0].collections]
    assert colours == [to_hex([c / 255 for c in label_colour(name, 0)]) for name in ("whole tumor", "tumor core")]


def test_without_any_voxel_the_middle_of_the_image_is_shown():
    figure = segmentation_figure(image(), segmentation(np.zeros(GRID.shape_zyx, np.uint8)))
    assert texts(figure)[0] == "No voxel was segmented"
    assert "The middle of the image" in texts(figure) and len(figure.axes) == 3


def test_of_many_labels_lesions_come_first_and_the_others_by_size():
    names = ("liver", "lung", "spleen", "heart", "tumor", "aorta")
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    for value, size in enumerate((30, 5, 20, 25, 1, 10), 1):
        labels[value * 2, value, :size] = value
    result = segmentation(labels, names=names)
    shown = [label.label.name for label in shown_labels(measure_labels(result))]
    assert shown == ["liver", "spleen", "heart", "tumor"]
    assert "Shown are 4 of 6: lesions first, then the largest." in texts(segmentation_figure(image(), result))


def test_what_was_not_looked_at_is_dark():
    result = segmentation(boxes=(((2, 10), (4, 12), (6, 16)),))
    figure = segmentation_figure(image(), result)
    assert "Darkened parts were not looked at." in texts(figure)
    dark = np.asarray(figure.axes[0].images[-1].get_array())[..., 3]
    lit = np.count_nonzero(dark == 0) / dark.size
    left, right = figure.axes[0].get_xlim()
    bottom, top = figure.axes[0].get_ylim()
    assert lit == pytest.approx(10 * 16 / ((right - left) * (bottom - top)), rel=0.1)


def test_one_slice_has_one_plane_and_every_file_is_written(tmp_path):
    flat = grid((1, 30, 40), (1.0, 1.0, 5.0), None, (0.0, 0.0, 0.0))
    labels = np.zeros(flat.shape_zyx, np.uint8)
    labels[0, 5:9, 5:9] = 1
    figure = segmentation_figure(image(flat), segmentation(labels, flat, names=("lesion",)))
    assert len(figure.axes) == 2
    assert "The image is one slice, so other planes are left out." in texts(figure)
    document = save_segmentation(segmentation(labels, flat, names=("lesion",)), image(flat), tmp_path / "out", "notice")
    assert document["components"] == {"lesion": 1}


@pytest.mark.parametrize("made", [segmentation, regions])
def test_the_report_says_what_was_found_and_holds_everything(tmp_path, made):
    result = dataclasses.replace(made(), warnings=("<b>Not</b> looked at.",))
    save_segmentation(result, image(), tmp_path / "out", "For research.")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Research software. Not a medical device." in page
    assert "<script" not in page and "http://" not in page and 'src="data:image/png' in page
    assert "&lt;b&gt;Not&lt;/b&gt; looked at." in page and "name-of-a-patient" not in page and "t1.nii.gz" in page
    for number, label in enumerate(result.labels):
        red, green, blue = label_colour(label.name, number)
        assert f"rgb({red}, {green}, {blue})" in page and f"<td>{label.name}</td>" in page
    assert ("none found" in page) == (made is segmentation)
    told = json.loads((tmp_path / "out" / "segmentation.json").read_text())
    assert told["components"] == {label.label.name: label.components for label in measure_labels(result)}


def test_a_name_with_signs_of_formulas_is_drawn_as_it_is():
    result = segmentation(labels=(SegmentedLabel("$x_1$ <b>", (1,), 366.0),), label_map=segmentation().label_map)
    figure = segmentation_figure(image(), result)
    figure.canvas.draw()
    assert any("$x_1$ <b>" in text for text in texts(figure))


def test_a_report_that_cannot_be_drawn_leaves_the_former_result(tmp_path, monkeypatch):
    save_segmentation(segmentation(), image(), tmp_path / "out", "")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mtann.segmentation.files.save_png", full)
    with pytest.raises(OutputError, match="no room left"):
        save_segmentation(regions(), image(), tmp_path / "out", "")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
