"""Circles through places, and whether places lie round their middle."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mtann.detection.surrounding import circle_through

TURN = Rotation.from_euler("zyx", (20, 50, -35), degrees=True).as_matrix()


def arc(degrees, radius=20.0, thick=3.0):
    """Places in a part of a flat ring, turned and moved anyhow."""
    random = np.random.default_rng(0)
    angle = np.radians(random.uniform(0, degrees, 3000))
    away = radius + random.uniform(-thick / 2, thick / 2, 3000)
    across = random.uniform(-thick / 2, thick / 2, 3000)
    return np.column_stack([away * np.cos(angle), away * np.sin(angle), across]) @ TURN + (30.0, -80.0, 12.0)


@pytest.mark.parametrize("degrees", [360, 288, 220, 180, 120, 90])
def test_an_arc_is_seen_from_its_circles_centre(degrees):
    circle = circle_through(arc(degrees))
    # A short piece of a thick ring looks a little more bent than it is.
    assert circle.radius_mm == pytest.approx(20.0, abs=0.5)
    # 36 sectors; a partly met one at either end counts whole.
    assert degrees / 360 - 0.03 <= circle.share_of_directions <= degrees / 360 + 0.06
    assert circle.is_surrounded == (degrees >= 216)


def test_a_shell_is_seen_as_a_disc():
    places = np.random.default_rng(1).normal(size=(20000, 3))
    places *= 20.0 / np.linalg.norm(places, axis=1, keepdims=True)
    circle = circle_through(places)
    # Two thirds of the squared distances of a shell lie in any plane.
    assert circle.radius_mm == pytest.approx(20.0 * np.sqrt(2 / 3), rel=0.01)
    assert circle.share_of_directions == 1.0
    assert circle.is_surrounded


def test_a_straight_line_surrounds_nothing():
    line = np.linspace(0, 50, 200)[:, None] * np.array([[0.6, 0.8, 0.0]])
    assert not circle_through(line).is_surrounded
    assert not circle_through(line[:1]).is_surrounded


def test_a_ring_with_a_tail_is_none():
    tail = np.column_stack([np.linspace(20, 70, 700), np.zeros((700, 2))]) @ TURN + (30.0, -80.0, 12.0)
    assert circle_through(arc(360)).is_surrounded
    assert not circle_through(np.concatenate([arc(360), tail])).is_surrounded


def test_a_ring_as_wide_as_a_head_is_none():
    assert circle_through(arc(360, 39.0)).is_surrounded
    assert not circle_through(arc(360, 42.0)).is_surrounded
