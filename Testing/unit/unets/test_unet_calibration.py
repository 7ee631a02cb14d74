"""The temperature of a U-Net recovers a known miscalibration, and calibration errors fall; what has none says why."""

import numpy as np
import pytest
from unet_plans import plan

from mtann.inference.labels import Block
from mtann.unets.calibrate import Sample, calibrate, expected_error, keep_sample, read_sample

PLAN = plan()


def honest(seed: int, count: int = 20_000, classes: int = 3):
    """Logits whose softmax is the chance of each class, and classes drawn by these chances."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, classes))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = (random.random(count)[:, None] > np.cumsum(chances, axis=1)).sum(axis=1)
    return logits.astype(np.float32), right.astype(np.int64)


@pytest.mark.parametrize("factor", [3.0, 0.5])
def test_the_temperature_undoes_what_logits_were_multiplied_by(factor):
    cases = [(factor * logits[None], right) for logits, right in (honest(seed) for seed in range(3))]
    found, words = calibrate(PLAN, cases, "out of fold")
    assert found.temperature == pytest.approx(factor, rel=0.03)
    assert (found.cases, found.chosen_on) == (3, "out of fold")
    logits = np.concatenate([one for one, _ in cases], axis=1)
    right = np.concatenate([one for _, one in cases])
    before, after = (expected_error(logits, right, t) for t in (1.0, found.temperature))
    assert after < 0.01 < 0.04 < before
    assert f"{before:.4f} before, {after:.4f} with it" in words


def test_networks_whose_probabilities_are_averaged_have_a_temperature_together():
    logits, right = honest(1)
    found, _ = calibrate(PLAN, [(np.stack([2.0 * logits, 2.0 * logits]), right)], "x")
    assert found.temperature == pytest.approx(2.0, rel=0.04)


def test_regions_are_classes_by_themselves():
    random = np.random.default_rng(0)
    made = plan(labels={"whole": (1, 2), "core": (2,)}, region_order=(1, 2))
    whole = random.normal(0, 2, 40_000)
    inside = random.random(40_000) < 1 / (1 + np.exp(-whole))
    # The core is half of the whole by chance, told by logits of 0.
    core = inside & (random.random(40_000) < 0.5)
    logits = np.stack([2.5 * whole, np.where(inside, 0.0, -30.0)], axis=1).astype(np.float32)
    found, _ = calibrate(made, [(logits[None], (inside.astype(np.int64) + core))], "x")
    assert found.temperature == pytest.approx(2.5, rel=0.05)


def test_by_hand_the_error_is_the_gap_between_chance_and_share():
    """Ten voxels said to be of the label with 0.75 (logit ln 3), five of which are: a gap of a quarter."""
    logits = np.zeros((1, 10, 2), np.float32)
    logits[..., 1] = np.log(3)
    assert expected_error(logits, np.array([1] * 5 + [0] * 5), 1.0) == pytest.approx(0.25, abs=1e-6)


def test_voxels_that_are_not_annotated_do_not_count():
    made = plan(ignore_label=9)
    logits, right = honest(2)
    wrong = np.where(np.arange(len(right)) % 2, 9, right)
    found, _ = calibrate(made, [(3 * logits[None], wrong)], "x")
    assert found.temperature == pytest.approx(3.0, rel=0.05)


def test_too_little_or_what_is_never_wrong_has_no_temperature():
    logits, right = honest(3)
    few = (np.arange(len(right)) < 49).astype(np.int64)
    found, words = calibrate(PLAN, [(logits[None], few)], "x")
    assert found is None and "only 49 drawn voxels are of a label; 50 are needed" in words
    perfect = np.full((1, 900, 3), -5.0, np.float32)
    classes = np.arange(900) % 3
    perfect[0, np.arange(900), classes] = 5.0
    found, words = calibrate(PLAN, [(perfect, classes)], "x")
    assert found is None and "no drawn voxel is wrong" in words


def test_drawn_voxels_are_the_same_for_every_network_and_taken_from_any_blocks(tmp_path):
    size = (9, 7, 5)
    logits = np.random.default_rng(0).normal(size=(3, *size)).astype(np.float32)
    values = np.random.default_rng(1).integers(0, 3, size)
    first, second = Sample.of("case", size, 3), Sample.of("case", size, 3)
    for z in range(0, 9, 2):
        box = (slice(z, min(z + 2, 9)), slice(0, 7), slice(0, 5))
        first.take(Block(box, logits[(slice(None), *box)]))
    whole = (slice(0, 9), slice(0, 7), slice(0, 5))
    second.take(Block(whole, logits))
    np.testing.assert_array_equal(first.logits, second.logits)
    keep_sample(first, values, tmp_path / "case.logits.npz")
    kept, right = read_sample(tmp_path / "case.logits.npz")
    z, y, x = first.places.T
    np.testing.assert_array_equal(kept, logits[:, z, y, x].T)
    np.testing.assert_array_equal(right, values[z, y, x])
    assert len(kept) == 315 and [path.name for path in tmp_path.iterdir()] == ["case.logits.npz"]


def test_labels_that_have_nothing_to_do_with_the_logits_have_no_temperature():
    logits, _ = honest(4)
    chance = np.random.default_rng(0).integers(0, 3, len(logits))
    found, words = calibrate(PLAN, [(logits[None], chance)], "x")
    assert found is None and "beyond 0.05 to 20" in words
