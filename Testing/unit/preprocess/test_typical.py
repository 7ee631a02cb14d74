"""Images like and unlike those that a model was taught on."""

from dataclasses import replace

import numpy as np
import pytest

from mtann.geometry import Geometry
from mtann.preprocess.prepare import Channel, InputSpecification, prepare
from mtann.preprocess.typical import PERCENTILES, STATISTICS, measure_typical, statistics_of, unlike_training
from mtann.volume import Volume

GRID = Geometry((20, 24, 28), (1.0, 1.0, 1.2), (0.0, 0.0, 0.0))
INPUTS = InputSpecification(channels=(Channel(name="t1"),), spacing_mm=1.0)


def scan(seed: int, geometry: Geometry = GRID, noise: float = 0.2, invert: bool = False, gain: float = 100.0) -> Volume:
    """Skewed tissue: grey matter with some bright vessels, and noise."""
    random = np.random.default_rng(seed)
    values = random.gamma(2.0, 1.0, geometry.shape_zyx) + noise * random.normal(size=geometry.shape_zyx)
    return Volume((gain * (5 - values if invert else 5 + values)).astype(np.float32), geometry)


def prepared(image: Volume):
    return prepare([image], INPUTS)


def typical(count: int):
    images = [scan(seed) for seed in range(count)]
    return measure_typical([prepared(one) for one in images], [one.geometry for one in images], ["t1"])


def test_the_statistics_by_hand():
    # Values 0 to 3 along a row, the last outside tissue: quantiles of 0, 1, 2; steps within tissue are 1 and 1.
    found = statistics_of(np.arange(4, dtype=np.float32).reshape(1, 1, 4), np.array([[[True, True, True, False]]]))
    assert dict(zip(STATISTICS, found, strict=True)) == pytest.approx(
        {**{f"percentile {p}": p / 50 for p in PERCENTILES}, "roughness": 1.0}
    )


@pytest.mark.parametrize("count", [1, 3, 8])
def test_an_image_like_the_training_images_gives_no_warning_whatever_its_gain(count):
    known = typical(count)
    for seed in range(100, 110):
        image = scan(seed, gain=7.0)
        assert unlike_training(known, prepared(image), image.geometry) == ()


def test_an_inverted_contrast_and_a_foreign_spacing_are_told():
    known = typical(8)
    image = scan(50, invert=True)
    (warning,) = unlike_training(known, prepared(image), image.geometry)
    assert "Channel t1 is unlike the 8 images" in warning
    thick = replace(GRID, spacing_xyz_mm=(1.0, 1.0, 5.0))
    warnings = unlike_training(known, prepared(scan(1, thick)), thick)
    assert "spacing of 5 mm across slices; the model was taught on 1.2 to 1.2" in warnings[0]


def test_a_model_that_does_not_know_its_training_images_says_nothing():
    image = scan(1, invert=True)
    assert unlike_training(None, prepared(image), image.geometry) == ()
