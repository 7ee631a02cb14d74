"""Segmenting with U-Nets: against the same steps written out in full, on small networks with random weights."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from small_unets import REGIONS, cascade_plan, image, small_unet
from unet_plans import configuration, plan

from mtann import segment
from mtann.errors import CancelledError, ImageError, MTANNError, SettingsError
from mtann.inference.answers import Answers
from mtann.inference.tiles import make_tiles
from mtann.inference.window import SlidingWindow
from mtann.models.unet_bundle import unet_network
from mtann.models.unet_card import PostProcessing
from mtann.preprocess.resize import resize_image
from mtann.preprocess.unet import crop_case, labels_on_grid, unet_case, with_labels
from mtann.sampling.lesions import Lesion
from mtann.segmentation.result import SegmentationSettings
from mtann.segmentation.tidy import tidy

CPU = SegmentationSettings(device="cpu", backend="torch", precision="fp32")


def with_settings(**values):
    return CPU.model_copy(update=values)


def logits_in_full(bundle, volume, name, prepared=None):
    """Logits of the cropped case, all at once."""
    card = bundle.card
    planned = card.plan.configuration(name)
    case = crop_case([volume], card.plan)
    prepared = prepared or unet_case(case, planned)
    networks = [unet_network(bundle, name, fold) for fold in card.folds]
    grid = make_tiles(prepared.data.shape[1:], planned.patch_size)
    answers = Answers(networks, planned.dimensions, card.mirror_axes[name])
    with torch.inference_mode():
        window = SlidingWindow(grid, card.plan.outputs, torch.device("cpu"))
        rows = np.concatenate([row.logits for row in window.run(prepared.data, answers)], axis=1)
    return case, np.stack([resize_image(channel, prepared.back) for channel in rows])


def restored(case, cropped):
    whole = np.zeros(case.size, dtype=cropped.dtype)
    whole[case.box] = cropped
    return np.transpose(whole, case.plan.transpose_backward)


@pytest.mark.parametrize(
    "made",
    [
        plan(),
        plan(configurations=(configuration(spacing=(2.0, 0.8, 1.3)),), transpose_forward=(2, 0, 1)),
        plan(configurations=(configuration("2d", spacing=(0.8, 0.7)),)),
    ],
    ids=["same grid", "transposed and resampled", "2d"],
)
def test_labels_are_those_of_the_steps_written_out(made):
    bundle, volume = small_unet(made, folds=("0", "1"), mirror=(0, 1)), image()
    found = segment(volume, bundle, CPU)
    case, logits = logits_in_full(bundle, volume, made.configurations[0].name)
    expected = restored(case, logits.argmax(axis=0))
    assert found.label_map.geometry == volume.geometry
    assert found.label_map.array.dtype == np.uint8
    assert np.count_nonzero(found.label_map.array != expected) <= 1
    assert len(np.unique(expected)) > 1
    assert {label.name: label.volume_mm3 for label in found.labels} == {
        "oedema": np.count_nonzero(found.label_map.array == 1),
        "core": np.count_nonzero(found.label_map.array == 2),
    }


def test_regions_overlap_in_masks_and_are_written_in_order_in_the_map():
    bundle, volume = small_unet(plan(**REGIONS)), image()
    found = segment(volume, bundle, CPU)
    case, logits = logits_in_full(bundle, volume, "3d_fullres")
    whole, core = (restored(case, one > 0) for one in logits)
    assert (whole & core).any() and (core & ~whole).any()
    np.testing.assert_array_equal(found.labels[0].mask.array, whole)
    np.testing.assert_array_equal(found.labels[1].mask.array, core)
    np.testing.assert_array_equal(found.label_map.array, np.where(core, 2, whole))


def test_a_cascade_gives_the_second_stage_the_labels_of_the_first():
    made = cascade_plan()
    bundle, volume = small_unet(made, configurations=("3d_cascade_fullres",)), image()
    found = segment(volume, bundle, CPU)
    case, low = logits_in_full(bundle, volume, "3d_lowres")
    full = made.configuration("3d_cascade_fullres")
    labels = labels_on_grid(case, restored(case, low.argmax(axis=0)), full)
    prepared = with_labels(unet_case(case, full), labels, made)
    assert prepared.data.shape[0] == 3 and prepared.data[1:].any(axis=(1, 2, 3)).all()
    _, logits = logits_in_full(bundle, volume, "3d_cascade_fullres", prepared)
    assert np.count_nonzero(found.label_map.array != restored(case, logits.argmax(axis=0))) <= 1


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=0))
    return raised / raised.sum(axis=0)


def test_probabilities_of_several_configurations_are_averaged():
    made = plan(configurations=(configuration(), configuration("2d", spacing=(0.8, 0.9))))
    bundle, volume = small_unet(made, configurations=("3d_fullres", "2d")), image()
    found = segment(volume, bundle, with_settings(probabilities=True))
    case, first = logits_in_full(bundle, volume, "3d_fullres")
    _, second = logits_in_full(bundle, volume, "2d")
    expected = (softmax(first) + softmax(second)) / 2
    assert [volume.name for volume in found.probabilities] == [
        f"image probability of {name}" for name in ("background", "oedema", "core")
    ]
    for number, own in enumerate(found.probabilities):
        np.testing.assert_allclose(own.array[case.box], expected[number], atol=1e-5)
    assert found.probabilities[0].array[0, 0, 0] == 1 and found.probabilities[1].array[0, 0, 0] == 0
    assert np.count_nonzero(found.label_map.array[case.box] != expected.argmax(axis=0)) <= 1


def test_folds_mirroring_and_overlap_are_chosen():
    bundle, volume = small_unet(folds=("0", "1"), mirror=(0, 1, 2)), image()
    whole = segment(volume, bundle, CPU).label_map.array
    one_fold = segment(volume, bundle, with_settings(folds=("1",), mirroring=False))
    alone = small_unet(folds=("0", "1"))
    _, logits = logits_in_full(
        type(alone)(alone.card.model_copy(update={"folds": ("1",)}), alone.weights, alone.sha256), volume, "3d_fullres"
    )
    case = crop_case([volume], bundle.card.plan)
    assert np.count_nonzero(one_fold.label_map.array != restored(case, logits.argmax(axis=0))) <= 1
    assert (one_fold.label_map.array != whole).any()
    assert "fold(s) 1, no mirroring" in one_fold.origin
    assert segment(volume, bundle, with_settings(folds=("0",), overlap=0.75)).patches == (12, 12)
    with pytest.raises(SettingsError, match="no fold 7; it has: 0, 1"):
        segment(volume, bundle, with_settings(folds=("7",)))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 1.2, 0.9)])
def test_around_places_labels_are_those_of_the_whole_run(spacing):
    made = plan(configurations=(configuration(spacing=spacing, patch_size=(8, 8, 8)),))
    bundle, volume = small_unet(made, mirror=(0,)), image((60, 40, 44))
    places = [Lesion((20.0, 12.0, 10.0), 2.0), Lesion((8.0, 30.0, 50.0), 1.5)]
    whole, part = segment(volume, bundle, CPU), segment(volume, bundle, CPU, around=places)
    looked = np.zeros(volume.array.shape, dtype=bool)
    for place in places:
        x, y, z = place.centre_lps_mm
        reach = place.radius_mm + 10
        grid = np.indices(volume.array.shape).reshape(3, -1)
        inside = np.all(np.abs(grid - np.array([[z], [y], [x]])) <= reach, axis=0)
        looked |= inside.reshape(volume.array.shape)
    np.testing.assert_array_equal(part.label_map.array[looked], whole.label_map.array[looked])
    assert part.label_map.array[looked].any()
    # Beyond the boxes, of whole voxels, nothing was looked at, and nothing is said.
    beyond = ~ndimage.binary_dilation(looked, np.ones((3, 3, 3)), iterations=1)
    assert not part.label_map.array[beyond].any() and whole.label_map.array[beyond].any()
    assert part.patches[0] < 0.6 * part.patches[1] and whole.patches == (part.patches[1],) * 2
    assert "Only the surroundings of 2 given place(s)" in part.warnings[-1]


def test_a_place_outside_of_the_image_leaves_an_empty_map():
    found = segment(image(), small_unet(), CPU, around=[Lesion((500.0, 0.0, 0.0), 3.0)])
    assert not found.label_map.array.any() and found.patches[0] == 0


def test_places_outside_of_the_image_are_told_of():
    places = [Lesion((500.0, 0.0, 0.0), 3.0), Lesion((4.0, 4.0, 4.0), 1.0)]
    assert "1 of the 2 given place(s) lie outside" in segment(image(), small_unet(), CPU, around=places).warnings[-1]


def test_answers_that_are_no_numbers_are_an_error_and_no_background():
    bundle = small_unet()
    weights = {name: array * np.float32(1e30) for name, array in bundle.weights.items()}
    with pytest.raises(MTANNError, match="not a finite number everywhere"):
        segment(image(), type(bundle)(bundle.card, weights, bundle.sha256), CPU)


def test_a_case_smaller_than_the_patch_and_one_without_foreground_are_segmented():
    small = image((9, 8, 7))
    found = segment(small, small_unet(), CPU)
    assert found.label_map.array.shape == (9, 8, 7) and found.patches == (1, 1)
    silent = small_unet()
    weights = dict(silent.weights)
    for key in weights:
        if "seg_layers" in key:
            weights[key] = np.zeros_like(weights[key])
    nothing = segment(image(), type(silent)(silent.card, weights, silent.sha256), CPU)
    assert not nothing.label_map.array.any()
    assert [label.volume_mm3 for label in nothing.labels] == [0.0, 0.0]


def test_post_processing_keeps_the_largest_and_drops_the_small():
    labels = np.zeros((1, 5, 12), dtype=np.uint8)
    labels[0, 0, :5] = labels[0, 4, :3] = 1
    labels[0, 2, :2] = labels[0, 2, 6:10] = 2
    rules = (PostProcessing(label="a", keep_largest=True), PostProcessing(label="b", min_volume_mm3=9.0))
    removed = tidy(labels, {"a": (1,), "b": (2,)}, rules, voxel_volume_mm3=3.0)
    assert np.argwhere(removed[0]).tolist() == [[2, 0], [2, 1], [4, 0], [4, 1], [4, 2]]
    assert (labels == 1).sum() == 5 and (labels == 2).sum() == 4


def test_post_processing_is_part_of_the_model():
    volume = image()
    plain = segment(volume, small_unet(), CPU)
    rules = (PostProcessing(label="core", min_volume_mm3=1e6),)
    assert (plain.label_map.array == 2).any()
    tidied = segment(volume, small_unet(post_processing=rules), CPU).label_map.array
    assert not (tidied == 2).any()
    np.testing.assert_array_equal(tidied == 1, plain.label_map.array == 1)


def test_a_wrong_number_of_channels_and_options_for_mtanns_are_refused():
    with pytest.raises(ImageError, match=r"needs 1 channel\(s\) \(t1\) but 2"):
        segment([image(), image()], small_unet(), CPU)
    with pytest.raises(SettingsError, match="U-Net, which has no threshold"):
        segment(image(), small_unet(), with_settings(threshold=0.5))
    with pytest.raises(SettingsError, match="U-Net, which looks at the whole image"):
        segment(image(), small_unet(), CPU, mask=image())


def test_stopping_is_noticed_at_the_next_patch():
    count = []

    def progress(report):
        count.append(report)

    with pytest.raises(CancelledError):
        segment(image(), small_unet(), CPU, progress=progress, cancelled=lambda: len(count) > 4)
    fractions = [report.fraction for report in count]
    assert fractions == sorted(fractions)
