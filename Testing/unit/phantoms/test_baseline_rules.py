"""What counts as a hit and a false alarm on a phantom, and the blob detector on blobs that it must find."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from log_detector import LogSettings, find_blobs
from phantom_baseline import Verdict, best_threshold, judge

from mtann.geometry import Geometry
from mtann.phantoms.head import Phantom, PhantomLesion
from mtann.phantoms.shapes import Ellipsoid, Sphere, sphere_phantom

GEOMETRY = Geometry((60, 60, 60), (1.0, 1.0, 1.0), (-29.5, -29.5, -29.5))
SPHERES = [Sphere((-12.5, 0.5, 0.5), 3.0), Sphere((10.5, 4.5, -3.5), 5.0)]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    shapes = sphere_phantom(GEOMETRY, SPHERES, body=Ellipsoid((0, 0, 0), (28, 28, 28)), noise_sigma=0.02)
    lesions = tuple(
        PhantomLesion(k, sphere.centre_lps_mm, 2 * sphere.radius_mm, "solid", False)
        for k, sphere in enumerate(SPHERES, 1)
    )
    return Phantom(shapes.volume, shapes.labels, lesions)


def test_several_candidates_on_a_lesion_count_once_and_are_no_false_alarms(phantom):
    verdict = judge(phantom, [SPHERES[0].centre_lps_mm, (-11.5, 0.5, 0.5), (20, 20, 20)], [0.4, 0.9, 0.5])
    assert verdict.hits.tolist() == [0.9]
    assert verdict.false_alarms.tolist() == [0.5]


def test_within_a_millimetre_is_a_hit_and_beyond_is_not(phantom):
    # The outermost labelled voxel on the line has its face at 13 mm.
    edge = max(x for x in np.arange(10, 20) if phantom.labels.array[26, 34, int(x + 30)] == 2) + 1.0
    assert judge(phantom, [(edge + 0.9, 4.5, -3.5)], [1.0]).hits.tolist() == [1.0]
    assert judge(phantom, [(edge + 1.1, 4.5, -3.5)], [1.0]).hits.tolist() == []


def test_no_candidates_is_no_hit(phantom):
    verdict = judge(phantom, [], [])
    assert verdict.at(0.0) == (0, 0)


def test_the_threshold_solves_what_can_be_solved():
    easy = Verdict(np.linspace(2, 1, 8), np.array([0.5, 0.4]))
    hard = Verdict(np.linspace(2, 1, 8), np.full(5, 3.0))
    solved, _, threshold = best_threshold([easy, hard])
    assert solved == 1
    assert easy.solved(threshold)
    assert not hard.solved(threshold)


def test_the_blob_detector_finds_blobs(phantom):
    blobs = find_blobs(phantom.volume, LogSettings(erode_mm=3.0))
    verdict = judge(phantom, GEOMETRY.lps_from_index(blobs.centres_zyx), blobs.responses)
    assert len(verdict.hits) == 2
    assert verdict.hits.min() > 2 * verdict.false_alarms.max(initial=0.0)
