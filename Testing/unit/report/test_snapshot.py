"""Small pictures show the place: its outline, its circle, or arms that point at it."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from mtann.geometry import Geometry
from mtann.report.snapshot import lesion_png, place_png
from mtann.sampling.lesions import Lesion, lesions_from_label_map
from mtann.volume import Volume
from unit.grids import turned, world_points
from unit.report.results import centred

GRID = centred((60, 60, 60), (1.0, 1.0, 1.0), turned(15, -10, 0))
CENTRE, RADIUS = np.array([4.0, -6.0, 20.0]), 8.0
DISTANCE = np.linalg.norm(world_points(GRID) - CENTRE, axis=-1)
IMAGE = Volume(np.random.default_rng(0).normal(100, 10, GRID.shape_zyx).astype(np.float32), GRID, "scan")


def cyan(content: bytes):
    """Where the outline's colour is, panel by panel, in mm from the middle of a 40 mm panel."""
    pixels = imread(io.BytesIO(content))[..., :3]
    height = pixels.shape[0]
    size = round(2.2 * 90)
    mask = (pixels[..., 2] > 0.75) & (pixels[..., 0] < 0.55) & (pixels[..., 1] > 0.6)
    for panel in range(3):
        left = round(panel * 2.26 * 90)
        part = mask[height - size :, left : left + size]
        yield (np.argwhere(part) - size / 2) * 40.0 / size


@pytest.mark.parametrize("marked", ["outline", "point"])
def test_a_lesions_rim_is_drawn_in_every_plane(marked: str) -> None:
    (outlined,) = lesions_from_label_map(IMAGE.with_array((DISTANCE <= RADIUS).astype(np.uint8)))
    lesion = outlined if marked == "outline" else Lesion(tuple(CENTRE.tolist()), RADIUS)
    for offsets in cyan(lesion_png(IMAGE, lesion)):
        assert len(offsets) > 80
        radii = np.linalg.norm(offsets, axis=1)
        assert np.median(radii) == pytest.approx(RADIUS, abs=0.5)
        np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=1.0)


def test_a_place_has_arms_and_nothing_over_it() -> None:
    content = place_png(IMAGE, tuple(CENTRE.tolist()), RADIUS)
    assert all(not len(offsets) for offsets in cyan(content))
    assert content != place_png(IMAGE, tuple((CENTRE + 9).tolist()), RADIUS)


def test_a_single_slice_has_one_panel() -> None:
    slice_image = Volume(
        np.random.default_rng(0).normal(size=(1, 80, 80)).astype(np.float32),
        Geometry((1, 80, 80), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0)),
    )
    pixels = imread(io.BytesIO(place_png(slice_image, (40.0, 40.0, 0.0), 5.0)))
    assert pixels.shape[1] == round(2.2 * 90)
