"""Candidate phantoms: known volumes and noise, one structure a case, and the AUC counted by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import candidate_phantoms
from candidate_log import CHOICES, SIGMAS_MM, LogChoice, log_scores, responses
from candidate_phantoms import EDGE_VOXELS, KINDS, auc, distance, make_phantom, make_sample, random_rotation

TICKS = np.arange(-22.0, 23.0)
POINTS = np.stack(np.meshgrid(TICKS, TICKS, TICKS, indexing="ij"), axis=-1)


def share(kind: str, radius: float) -> np.ndarray:
    return np.clip(0.5 - distance(kind, POINTS, radius, np.random.default_rng(4)), 0, 1)


def test_the_settings_are_frozen():
    # The figures in RESULTS.md were measured with these; an easier phantom would make them meaningless.
    assert candidate_phantoms.RADII_MM == (2.0, 5.0)
    assert candidate_phantoms.CONTRASTS == (0.7, 2.1)
    assert candidate_phantoms.NOISE == 0.38
    assert candidate_phantoms.BACKGROUND == 0.15


@pytest.mark.parametrize("radius", [2.0, 3.5, 5.0])
def test_a_sphere_has_a_spheres_volume(radius):
    # The linear edge adds pi/3 times the radius, at most 8 % of the smallest.
    assert share("sphere", radius).sum() == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.09)


def test_a_tube_a_slab_and_an_edge_fill_a_ball_as_formulas_say():
    within = np.linalg.norm(POINTS, axis=-1) <= 20
    ball = 4 / 3 * np.pi * 20**3
    # A cylinder through a ball: 4/3 pi (R^3 - (R^2 - r^2)^1.5); a slab: pi (2 R^2 r - 2 r^3 / 3); an edge: half.
    tube = 4 / 3 * np.pi * (20**3 - (20**2 - 4**2) ** 1.5)
    slab = np.pi * (2 * 20**2 * 4 - 2 * 4**3 / 3)
    assert share("cylinder", 4.0)[within].sum() == pytest.approx(tube, rel=0.03)
    assert share("slab", 4.0)[within].sum() == pytest.approx(slab, rel=0.02)
    assert share("edge", 4.0)[within].sum() == pytest.approx(ball / 2, rel=0.02)


def test_every_structure_passes_through_the_middle_and_a_fork_has_three_arms():
    for kind in KINDS:
        assert share(kind, 3.0)[22, 22, 22] >= 0.5
    ring = np.abs(np.linalg.norm(POINTS, axis=-1) - 18) < 0.6
    inside = (share("fork", 2.0) > 0.5) & ring
    directions = POINTS[inside] / np.linalg.norm(POINTS[inside], axis=-1, keepdims=True)
    arms = [directions[0]]
    for direction in directions:
        if all(direction @ arm < np.cos(0.35) for arm in arms):
            arms.append(direction)
    assert len(arms) == 3


def test_noise_background_and_place_are_as_stated():
    phantom = make_phantom(11, "sphere")
    image, middle = phantom.volume.array, (EDGE_VOXELS - 1) / 2
    assert max(abs(c - middle) for c in phantom.centre_lps_mm) <= 0.5
    corner = np.diff(image[:10], axis=2)
    # Neighbours differ by noise alone, nearly: variance 2 NOISE^2.
    assert corner.std() == pytest.approx(np.sqrt(2) * candidate_phantoms.NOISE, rel=0.03)
    whole = make_phantom(11, "edge").volume.array - image
    assert np.abs(whole).max() <= 2 * phantom.contrast + 1e-5
    z, y, x = (round(c) for c in phantom.centre_lps_mm[::-1])
    inside = image[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2].mean()
    assert inside == pytest.approx(phantom.contrast, abs=4 * candidate_phantoms.BACKGROUND)


def test_the_kind_changes_neither_radius_nor_noise_and_a_seed_gives_one_phantom():
    sphere, tube = make_phantom(3, "sphere"), make_phantom(3, "cylinder")
    assert (sphere.radius_mm, sphere.contrast, sphere.centre_lps_mm) == (
        tube.radius_mm,
        tube.contrast,
        tube.centre_lps_mm,
    )
    assert np.array_equal(sphere.volume.array, make_phantom(3, "sphere").volume.array)
    assert not np.array_equal(sphere.volume.array, make_phantom(4, "sphere").volume.array)
    assert 2.0 <= sphere.radius_mm <= 5.0


def test_a_sample_goes_round_the_kinds_and_uses_no_seed_twice():
    sample = make_sample(40, 2, 5, ("cylinder", "slab"))
    assert [one.kind for one in sample] == ["sphere", "sphere", "cylinder", "slab", "cylinder", "slab", "cylinder"]
    assert [one.is_lesion for one in sample] == [True] * 2 + [False] * 5
    assert len({one.radius_mm for one in sample}) == 7


def test_rotations_are_rotations():
    random = np.random.default_rng(0)
    for _ in range(20):
        matrix = random_rotation(random)
        assert matrix @ matrix.T == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(matrix) == pytest.approx(1)


def test_auc_counted_by_hand():
    assert auc([3, 1], [2, 0]) == 0.75
    assert auc([1, 1], [1, 0]) == 0.75
    assert auc([0], [1]) == 0.0


def test_the_blob_detector_answers_most_at_a_balls_own_scale():
    # A ball of radius r answers most at sigma = r / sqrt(3) with the scale-invariant exponent 2.
    (ball,) = [one for one in (make_phantom(seed, "sphere") for seed in range(60)) if abs(one.radius_mm - 4.33) < 0.02][
        :1
    ]
    table = responses([ball])
    single = [log_scores(table, LogChoice(n, n, 2.0, False))[0] for n in range(len(SIGMAS_MM))]
    assert SIGMAS_MM[int(np.argmax(single))] == 2.5
    assert log_scores(table, LogChoice(0, 6, 2.0, False))[0] == max(single)
    assert len(CHOICES) == 28 * 7 * 2
