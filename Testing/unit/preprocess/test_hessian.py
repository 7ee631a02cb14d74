"""Eigenvalues of the Hessian matrix: known curvatures, whichever way things lie, on any grid and in slabs."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtann.errors import CancelledError
from mtann.geometry import Geometry
from mtann.preprocess import hessian
from mtann.preprocess.hessian import SHOWN, channel_sources, hessian_names, largest_eigenvalues, with_hessian
from mtann.preprocess.prepare import PreparedCase
from mtann.progress import Run


def axes(shape, spacing=(1.0, 1.0, 1.0)):
    centred = [(np.arange(n) - n // 2) * step for n, step in zip(shape, spacing, strict=True)]
    return np.meshgrid(*centred, indexing="ij", sparse=True)


def gaussian(shape, widths, spacing=(1.0, 1.0, 1.0)):
    return np.exp(-sum((x / w) ** 2 for x, w in zip(axes(shape, spacing), widths, strict=True)) / 2).astype(np.float32)


def at_middle(image, sigma, dimensions=3):
    middle = tuple(n // 2 for n in image.shape)
    return [float(values[middle]) for values in largest_eigenvalues(image, sigma, dimensions)]


def curvature(width, sigma, others):
    """Of a Gaussian blob smoothed by another: -sigma^2 / (w^2 + sigma^2) times what smoothing left of its height."""
    left = np.prod([w / np.hypot(w, sigma) for w in others])
    return -(sigma**2) / (width**2 + sigma**2) * left


def test_a_ball_curves_alike_along_all_axes():
    expected = curvature(3.0, 2.0, (3.0, 3.0, 3.0))
    assert at_middle(gaussian((31, 31, 31), (3.0, 3.0, 3.0)), (2.0, 2.0, 2.0)) == pytest.approx(
        [expected] * 2, rel=0.04
    )


@pytest.mark.parametrize("along", range(3))
def test_a_tube_has_one_and_a_sheet_two_eigenvalues_near_none(along):
    tube = [3.0] * 3
    tube[along] = 1e6
    largest, second = at_middle(gaussian((31, 31, 31), tube), (2.0, 2.0, 2.0))
    assert largest == pytest.approx(0, abs=2e-3)
    assert second == pytest.approx(curvature(3.0, 2.0, (3.0, 3.0)), rel=0.04)
    sheet = [1e6] * 3
    sheet[along] = 3.0
    assert at_middle(gaussian((31, 31, 31), sheet), (2.0, 2.0, 2.0)) == pytest.approx([0, 0], abs=2e-3)


def test_a_dark_cavity_curves_the_other_way():
    largest, second = at_middle(1 - gaussian((31, 31, 31), (2.0, 3.0, 4.0)), (2.0, 2.0, 2.0))
    assert largest > second > 0
    assert largest == pytest.approx(-curvature(2.0, 2.0, (2.0, 3.0, 4.0)), rel=0.04)


def test_scales_are_millimetres_on_grids_of_any_spacing():
    even = gaussian((41, 41, 41), (4.0, 4.0, 4.0))
    thick = gaussian((21, 41, 41), (4.0, 4.0, 4.0), (2.0, 1.0, 1.0))
    assert at_middle(thick, (1.5, 3.0, 3.0)) == pytest.approx(at_middle(even, (3.0, 3.0, 3.0)), rel=0.04)


@given(st.integers(0, 10_000))
def test_closed_form_eigenvalues_are_those_of_the_matrices(seed):
    random = np.random.default_rng(seed)
    parts = random.normal(size=(6, 50)).astype(np.float32) * 10 ** random.uniform(-3, 2)
    parts[:, 0] = 0
    parts[:, 1] = (2, 0, 0, 2, 0, 2)
    zz, zy, zx, yy, yx, xx = parts
    matrices = np.array([[zz, zy, zx], [zy, yy, yx], [zx, yx, xx]], dtype=np.float64).transpose(2, 0, 1)
    expected = np.linalg.eigvalsh(matrices)
    second, largest = hessian._two_largest(list(parts))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(largest, expected[:, 2], atol=2e-5 * scale)
    # Where two eigenvalues nearly agree the angle is known to half the digits only.
    np.testing.assert_allclose(second, expected[:, 1], atol=2e-3 * scale)
    small = hessian._two_largest([yy, yx, xx])
    np.testing.assert_allclose(np.stack(small, -1), np.linalg.eigvalsh(matrices[:, 1:, 1:]), atol=1e-5 * scale)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_turning_an_image_turns_its_curvature(order):
    image = np.random.default_rng(1).normal(size=(12, 14, 16)).astype(np.float32)
    for straight, turned in zip(
        largest_eigenvalues(image, (1.5,) * 3), largest_eigenvalues(image.transpose(order), (1.5,) * 3), strict=True
    ):
        np.testing.assert_allclose(turned, straight.transpose(order), atol=1e-4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_slabs_change_nothing(monkeypatch, dimensions):
    image = np.random.default_rng(2).normal(size=(40, 9, 8)).astype(np.float32)
    whole = largest_eigenvalues(image, (1.0, 2.0, 2.0), dimensions)
    monkeypatch.setattr(hessian, "_SLAB_VOXELS", 300)
    for one, other in zip(whole, largest_eigenvalues(image, (1.0, 2.0, 2.0), dimensions), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_in_two_dimensions_slices_do_not_see_each_other():
    image = np.random.default_rng(3).normal(size=(5, 20, 20)).astype(np.float32)
    alone = largest_eigenvalues(image[2:3], (2.0, 2.0, 2.0), 2)
    for together, one in zip(largest_eigenvalues(image, (2.0, 2.0, 2.0), 2), alone, strict=True):
        np.testing.assert_allclose(together[2:3], one, atol=1e-6)


def case(*images):
    grid = Geometry(images[0].shape, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0))
    return PreparedCase(grid, images, np.ones(images[0].shape, bool))


def test_a_case_shows_images_then_their_curvature_then_an_answer():
    first, other = (np.random.default_rng(n).normal(size=(12, 12, 12)).astype(np.float32) for n in range(2))
    shown = with_hessian(case(first, other), (1.0, 3.0), 3, Run())
    assert len(shown.channels) == 2 + len(hessian_names("a", (1.0, 3.0))) + len(hessian_names("b", (1.0, 3.0))) == 10
    expected = largest_eigenvalues(other, (1.5, 3.0, 3.0))
    np.testing.assert_array_equal(shown.channels[-2], SHOWN * expected[0])
    np.testing.assert_array_equal(shown.channels[-1], SHOWN * expected[1])
    for answer in (np.zeros_like(first), np.ones_like(first)):
        shown = shown.with_answer(answer)
        assert shown.images == (first, other)
        assert len(shown.channels) == 11
        assert shown.channels[-1] is answer


def test_without_scales_a_case_stays_as_it_is():
    plain = case(np.zeros((4, 4, 4), np.float32))
    assert with_hessian(plain, (), 3, Run()) is plain


def test_names_say_image_scale_and_which():
    assert hessian_names("t1c", (1.0, 2.5)) == (
        "t1c, largest eigenvalue at 1 mm",
        "t1c, second largest eigenvalue at 1 mm",
        "t1c, largest eigenvalue at 2.5 mm",
        "t1c, second largest eigenvalue at 2.5 mm",
    )


def test_it_can_be_stopped():
    with pytest.raises(CancelledError):
        largest_eigenvalues(np.zeros((4, 4, 4), np.float32), (1, 1, 1), run=Run(cancelled=lambda: True))


@given(st.floats(0.05, 20), st.floats(-2000, 2000), st.integers(2, 3), st.integers(1, 693), st.integers(0, 100))
@example(12.0, 3.0, 3, 1, 0)
@example(5.0, 3.0, 3, 3, 0)
def test_nothing_curves_in_constants_whatever_lies_beyond_tissue(sigma, height, dimensions, voxels, seed):
    random = np.random.default_rng(seed)
    tissue = random.permutation(np.arange(693) < voxels).reshape(7, 9, 11)
    image = np.where(tissue, height, random.normal(scale=1e4, size=tissue.shape)).astype(np.float32)
    for values in largest_eigenvalues(image, (sigma,) * 3, dimensions, tissue):
        assert np.abs(values).max() <= 2e-6 * max(abs(height), 1e-6) * max(1, sigma**2)


def test_nothing_curves_at_the_edge_of_tissue_and_all_is_0_beyond_it():
    z, y, x = axes((31, 31, 31))
    tissue = z**2 + y**2 + x**2 < 144
    image = np.where(tissue, gaussian((31, 31, 31), (3.0, 3.0, 3.0)) + 5, 0).astype(np.float32)
    open_air = largest_eigenvalues(image, (1.5,) * 3)
    found = largest_eigenvalues(image, (1.5,) * 3, tissue=tissue)
    edge = tissue & (z**2 + y**2 + x**2 > 100)
    for masked, everywhere in zip(found, open_air, strict=True):
        assert np.all(masked[~tissue] == 0)
        assert np.abs(masked[edge]).max() < 0.02
        assert np.abs(everywhere[edge]).max() > 0.3
        # The middle does not feel the edge.
        assert masked[15, 15, 15] == pytest.approx(float(everywhere[15, 15, 15]), abs=1e-4)


def test_tissue_counts_for_itself_wherever_it_lies_in_the_volume():
    random = np.random.default_rng(4)
    tissue, image = np.zeros((20, 21, 22), bool), random.normal(size=(20, 21, 22)).astype(np.float32)
    tissue[5:11, 6:13, 7:15] = random.random((6, 7, 8)) < 0.8
    image[~tissue] = 1e6
    moved = np.roll(image, (-3, 5, 2), (0, 1, 2)), np.roll(tissue, (-3, 5, 2), (0, 1, 2))
    for one, other in zip(
        largest_eigenvalues(image, (1.2,) * 3, tissue=tissue),
        largest_eigenvalues(moved[0], (1.2,) * 3, tissue=moved[1]),
        strict=True,
    ):
        np.testing.assert_allclose(np.roll(one, (-3, 5, 2), (0, 1, 2)), other, atol=1e-5)
    nothing = largest_eigenvalues(image, (1.2,) * 3, tissue=np.zeros_like(tissue))
    assert all(np.all(values == 0) for values in nothing)


def test_a_scale_below_half_a_voxel_is_that_of_half_a_voxel():
    image = np.random.default_rng(5).normal(size=(9, 9, 9)).astype(np.float32)
    for least, less in zip(largest_eigenvalues(image, (0.5,) * 3), largest_eigenvalues(image, (0.1,) * 3), strict=True):
        np.testing.assert_array_equal(least, less)


def test_each_channel_knows_its_image():
    assert channel_sources(2, 8) == (0, 1, 0, 0, 0, 0, 1, 1, 1, 1)
    assert channel_sources(3, 0) == (0, 1, 2)
    assert channel_sources(1, 2, answered=True) == (0, 0, 0, 1)
