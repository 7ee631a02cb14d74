"""From logits to labels: in blocks as at once, by hand."""

import numpy as np
import pytest
import torch
from unet_plans import plan

from mtann.inference.answers import Answers
from mtann.inference.labels import Block, blocks, label_type, labels_of, probabilities_of, regions_of
from mtann.inference.tiles import make_tiles
from mtann.inference.window import Rows, SlidingWindow
from mtann.preprocess.resize import make_resize, resize_image

REGIONS = plan(labels={"whole": (1, 2), "core": (2,)}, region_order=(1, 2))
ISOTROPIC = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))


def noise(*shape):
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def rows_of(logits, cuts):
    for start, stop in zip((0, *cuts), (*cuts, logits.shape[1]), strict=True):
        yield Rows(start, logits[:, start:stop])


@pytest.mark.parametrize("numbers", [1, 3000, 1 << 24])
@pytest.mark.parametrize("after", [(23, 17, 9), (11, 17, 9), (5, 8, 30)])
def test_blocks_are_parts_of_the_whole(monkeypatch, numbers, after):
    monkeypatch.setattr("mtann.inference.labels._BLOCK_NUMBERS", numbers)
    logits = noise(3, 11, 13, 9)
    way = make_resize(logits.shape[1:], after, *ISOTROPIC, order=1)
    whole = np.full((3, *after), np.nan, dtype=np.float32)
    for block in blocks(rows_of(logits, (2, 3, 8)), way):
        whole[(slice(None), *block.box)] = block.values
    expected = np.stack([resize_image(channel, way) for channel in logits])
    np.testing.assert_allclose(whole, expected, atol=1e-5)


def test_only_the_wanted_parts_are_computed(monkeypatch):
    monkeypatch.setattr("mtann.inference.labels._BLOCK_NUMBERS", 1)
    logits = noise(2, 10, 12, 14)
    way = make_resize((10, 12, 14), (20, 24, 28), *ISOTROPIC, order=1)
    wanted = [(slice(3, 5), slice(2, 4), slice(20, 26)), (slice(4, 6), slice(8, 9), slice(22, 28))]
    found = list(blocks(rows_of(logits, (5,)), way, wanted))
    assert [block.box for block in found] == [
        (slice(3, 4), slice(2, 4), slice(20, 26)),
        (slice(4, 5), slice(2, 4), slice(20, 26)),
        (slice(4, 5), slice(8, 9), slice(22, 28)),
        (slice(5, 6), slice(8, 9), slice(22, 28)),
    ]
    expected = np.stack([resize_image(channel, way) for channel in logits])
    for block in found:
        np.testing.assert_allclose(block.values, expected[(slice(None), *block.box)], atol=1e-5)


def test_logits_of_a_whole_case_never_exist_at_once(monkeypatch):
    monkeypatch.setattr("mtann.inference.labels._BLOCK_NUMBERS", 20_000)
    outputs, size, patch = 6, (60, 24, 28), (8, 8, 8)
    window = SlidingWindow(make_tiles(size, patch), outputs, torch.device("cpu"))
    answers = Answers([lambda patches: patches.expand(-1, outputs, -1, -1, -1)])

    def rows():
        for own in window.run(noise(1, *size), answers):
            assert own.logits.shape[1] <= patch[0]
            yield own

    way = make_resize(size, (90, 36, 40), *ISOTROPIC, order=1)
    whole = outputs * 90 * 36 * 40
    sizes = [block.values.size for block in blocks(rows(), way)]
    assert sum(sizes) == whole and max(sizes) <= 20_000 < whole / 30


def column(*values):
    return Block((slice(0, 1),) * 3, np.array(values, dtype=np.float32).reshape(-1, 1, 1, 1))


def test_the_highest_logit_wins_and_the_first_of_equals():
    labels = plan(labels={"liver": (1,), "tumour": (2,)})
    for values, label in (((0, 1, 2), 2), ((0, 1, 1), 1), ((3, 1, 3), 0), ((-5, -1, -9), 1)):
        assert labels_of(column(*values), labels, False).item() == label
    probabilities = probabilities_of(column(0, 1, 2), labels)
    np.testing.assert_allclose(probabilities.values.ravel(), np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum(), rtol=1e-6)
    assert labels_of(probabilities, labels, True).item() == 2
    cooler = probabilities_of(column(0, 1, 2), labels, temperature=2.0).values.ravel()
    np.testing.assert_allclose(cooler, np.exp([0, 0.5, 1]) / np.exp([0, 0.5, 1]).sum(), rtol=1e-6)


def test_regions_overlap_and_later_ones_are_written_over_earlier():
    for values, label in (((1, 1), 2), ((1, -1), 1), ((-1, 1), 2), ((-1, -1), 0), ((0, 0), 0)):
        assert labels_of(column(*values), REGIONS, False).item() == label
        assert regions_of(column(*values), False).ravel().tolist() == [value > 0 for value in values]
    probabilities = probabilities_of(column(1, -200), REGIONS)
    np.testing.assert_allclose(probabilities.values.ravel(), [1 / (1 + np.exp(-1)), 0], atol=1e-7)
    assert labels_of(probabilities, REGIONS, True).item() == 1


def test_labels_beyond_255_get_two_bytes():
    assert label_type(plan(labels={"a": (255,)})) == np.uint8
    assert label_type(plan(labels={"a": (256,)})) == np.uint16


def test_only_wanted_boxes_are_interpolated_as_they_are_in_the_whole():
    logits = np.random.default_rng(0).normal(size=(2, 9, 8, 7)).astype(np.float32)
    way = make_resize((9, 8, 7), (20, 13, 12), (2.0, 1.6, 1.7), (0.9, 1.0, 1.0), order=1)
    rows = [Rows(0, logits[:, :4]), Rows(4, logits[:, 4:])]
    whole = np.zeros((2, 20, 13, 12), np.float32)
    for block in blocks(rows, way):
        whole[(slice(None), *block.box)] = block.values
    wanted = [(slice(0, 3), slice(0, 4), slice(2, 5)), (slice(11, 20), slice(6, 13), slice(0, 1))]
    found = list(blocks(rows, way, wanted))
    assert sum(block.values[0].size for block in found) == sum(
        np.prod([part.stop - part.start for part in box]) for box in wanted
    )
    for block in found:
        np.testing.assert_allclose(block.values, whole[(slice(None), *block.box)], atol=1e-6)
