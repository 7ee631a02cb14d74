"""Planes show the patient the right way round and at the right place, whatever way the image is stored."""

from dataclasses import replace

import numpy as np
import pytest

from mtann.geometry import Geometry
from mtann.report.planes import AXIAL, CORONAL, SAGITTAL, Plane, View, planes_of
from mtann.volume import Volume
from unit.grids import turned, world_points
from unit.report.results import OBLIQUE, centred

LESION = (-30.0, -12.0, 25.0)
FLIPPED = np.diag([-1.0, 1.0, -1.0])
SAGITTAL_SLICES = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
GEOMETRIES = {
    "oblique": OBLIQUE,
    "doubly oblique": centred((60, 96, 80), (2.0, 2.0, 2.5), turned(0, 0, -25)),
    "flipped": centred((75, 100, 80), (2.0, 2.0, 2.0), FLIPPED),
    "anisotropic": centred((30, 300, 280), (0.5, 0.5, 5.0)),
    "sagittal slices": centred((80, 70, 90), (2.0, 2.0, 1.8), SAGITTAL_SLICES),
}


def blob(geometry: Geometry) -> Volume:
    return Volume(np.exp(-(((world_points(geometry) - LESION) / 8) ** 2).sum(axis=-1)).astype(np.float32), geometry)


@pytest.mark.parametrize("plane", [AXIAL, CORONAL, SAGITTAL], ids=lambda plane: plane.name)
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES.keys())
def test_a_lesion_appears_at_its_place_and_round(geometry: Geometry, plane: Plane) -> None:
    view = View(plane, LESION, 60.0, 50.0, 0.5)
    shown = view.resample(blob(geometry), outside=0.0)
    left, right, bottom, top = view.extent_uv_mm
    assert shown.shape == (100, 120)
    assert (right - left, bottom - top) == pytest.approx((60.0, 50.0))
    u = left + (np.arange(120) + 0.5) * 0.5
    v = top + (np.arange(100) + 0.5) * 0.5
    weight = shown / shown.sum()
    centre = np.array([(weight * u).sum(), (weight * v[:, None]).sum()])
    assert centre == pytest.approx(plane.uv(LESION), abs=0.1)
    width = np.sqrt((weight * (u - centre[0]) ** 2).sum())
    height = np.sqrt((weight * (v - centre[1])[:, None] ** 2).sum())
    assert (width, height) == pytest.approx((8 / np.sqrt(2),) * 2, rel=0.08)


def test_radiological_convention() -> None:
    assert [plane.letters for plane in (AXIAL, CORONAL, SAGITTAL)] == [
        ("R", "L", "A", "P"),
        ("R", "L", "S", "I"),
        ("A", "P", "S", "I"),
    ]
    right_front_top, left_back_bottom = (-30.0, -30.0, 30.0), (30.0, 30.0, -30.0)
    for plane in (AXIAL, CORONAL, SAGITTAL):  # u to the right, v downwards: both grow towards left, posterior, inferior
        assert np.all(plane.uv(right_front_top) < plane.uv(left_back_bottom))


def test_outside_of_the_image_and_its_outermost_half_voxel() -> None:
    volume = Volume(np.full((1, 2, 2), 7.0), Geometry((1, 2, 2), (1.0, 1.0, 5.0), (0.0, 0.0, 0.0)))
    shown = View(AXIAL, (0.5, 0.5, 2.4), 4.0, 2.0, 1.0).resample(volume, outside=-1.0)
    np.testing.assert_array_equal(shown, [[-1, 7, 7, -1], [-1, 7, 7, -1]])
    beyond = View(AXIAL, (0.5, 0.5, 2.6), 4.0, 2.0, 1.0).resample(volume, outside=-1.0)
    np.testing.assert_array_equal(beyond, np.full((2, 4), -1.0))


def test_one_slice_is_shown_as_it_lies() -> None:
    tilt = turned(15, 0, 0)
    (plane,) = planes_of(centred((1, 220, 180), (1.0, 1.0, 5.0), tilt))
    assert (plane.name, plane.letters) == ("Axial", ("R", "L", "A", "P"))
    assert plane.right_lps == pytest.approx((1, 0, 0))
    assert plane.down_lps == pytest.approx(tilt[:, 1])

    coronal = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)  # x to the left, y to inferior, z to posterior
    (plane,) = planes_of(Geometry((1, 60, 50), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), coronal))
    assert (plane.name, plane.letters) == ("Coronal", ("R", "L", "S", "I"))

    flipped = replace(OBLIQUE, shape_zyx=(1, 96, 80), direction=tuple(FLIPPED.ravel().tolist()))
    assert planes_of(flipped)[0].letters == ("R", "L", "A", "P")
    assert planes_of(OBLIQUE) == (AXIAL, CORONAL, SAGITTAL)
