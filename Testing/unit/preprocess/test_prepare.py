"""A case's images reach the model in one place and on one scale, with a warning where a result would mislead."""

from dataclasses import replace

import numpy as np
import pytest

from mtann.errors import CancelledError, GeometryError, ImageError
from mtann.geometry import Geometry
from mtann.preprocess.grid import model_grid
from mtann.preprocess.mask import MaskKind
from mtann.preprocess.normalise import Normalisation
from mtann.preprocess.prepare import Channel, InputSpecification, prepare
from mtann.progress import Progress, Run
from mtann.volume import Volume
from unit.grids import grid, ramp, turned, world_points

AXIAL = grid((24, 26, 28), (1.0, 1.0, 1.0), None, (5.0, -7.0, 9.0))
# Wide enough that a ramp is never clipped, so that values can be told.
RAW = Normalisation(method="window", low=-1000.0, high=1000.0)


def specification(
    *names: str,
    mask: MaskKind = "everything",
    dimensions: int = 3,
    spacing_mm: float = 1.0,
    normalisation: Normalisation = RAW,
    modality: str = "mr",
) -> InputSpecification:
    channels = tuple(Channel(name=name, modality=modality, normalisation=normalisation) for name in names)
    return InputSpecification(channels=channels, spacing_mm=spacing_mm, dimensions=dimensions, mask=mask)


def brain(geometry: Geometry = AXIAL, outside: float = 0.0) -> tuple[Volume, np.ndarray]:
    """A stripped brain, and where it is."""
    inside = np.linalg.norm(world_points(geometry) - (5.0, -7.0, 9.0), axis=-1) < 9
    values = np.random.default_rng(0).normal(300, 40, geometry.shape_zyx)
    return Volume(np.where(inside, values, outside).astype(np.float32), geometry, "t1.nii.gz"), inside


def box(geometry: Geometry, name: str = "mask.nii.gz") -> Volume:
    """A mask of the half with positive x."""
    return Volume((world_points(geometry)[..., 0] > 0).astype(np.uint8), geometry, name)


def test_one_image_on_the_models_grid_is_only_scaled() -> None:
    prepared = prepare([ramp(AXIAL)], specification("t1"))
    assert prepared.grid.matches(AXIAL)
    assert prepared.channels[0] == pytest.approx((ramp(AXIAL).array + 1000) / 2000)
    assert prepared.mask.all()
    assert prepared.warnings == ()


def test_channels_on_different_grids_agree_in_the_patient() -> None:
    # The same linear image, stored on three grids that each hold the first one's block.
    others = [
        grid((60, 62, 64), (1.0, 1.0, 1.0), turned(25, -10, 40), (5.0, -7.0, 9.0)),
        grid((90, 80, 70), (0.75, 0.75, 0.75), np.diag([-1.0, -1, 1]), (5.0, -7.0, 9.0)),
    ]
    prepared = prepare([ramp(g) for g in (AXIAL, *others)], specification("t1", "t2", "flair"))
    assert prepared.warnings == ()
    for channel in prepared.channels:
        assert channel == pytest.approx(prepared.channels[0], abs=1e-5)


def test_the_first_channel_gives_the_grid() -> None:
    first = grid((8, 40, 44), (0.5, 0.5, 4.0), turned(10, 0, 5), (5.0, -7.0, 9.0))
    prepared = prepare([ramp(first), ramp(AXIAL)], specification("t1", "t2", spacing_mm=2.0))
    assert prepared.grid.matches(model_grid(first, 2.0, 3))
    assert {channel.shape for channel in prepared.channels} == {prepared.grid.shape_zyx}
    assert prepared.mask.shape == prepared.grid.shape_zyx


@pytest.mark.parametrize("given", [0, 1, 3])
def test_a_wrong_number_of_channels_is_refused(given: int) -> None:
    with pytest.raises(ImageError, match=rf"needs 2 channel\(s\) \(t1, flair\) but {given} image"):
        prepare([ramp(AXIAL)] * given, specification("t1", "flair"))


@pytest.mark.parametrize("which", [0, 1])
def test_an_image_that_cannot_be_scanned_is_refused_in_any_channel(which: int) -> None:
    volumes = [ramp(AXIAL), ramp(AXIAL)]
    volumes[which] = Volume(np.zeros(AXIAL.shape_zyx, np.int16), AXIAL, "empty.nii.gz")
    with pytest.raises(ImageError, match="'empty.nii.gz' has the value 0 in every voxel"):
        prepare(volumes, specification("t1", "flair"))


def test_a_channel_elsewhere_is_refused() -> None:
    elsewhere = ramp(grid((24, 26, 28), centre_lps_mm=(200.0, 0.0, 0.0)))
    with pytest.raises(GeometryError, match="does not overlap"):
        prepare([ramp(AXIAL), elsewhere], specification("t1", "flair"))


@pytest.mark.parametrize(("voxels", "share"), [(7, "75%"), (14, "50%")])
def test_a_channel_that_covers_a_part_is_named_with_its_share(voxels: int, share: str) -> None:
    moved = ramp(replace(AXIAL, origin_lps_mm=tuple(AXIAL.lps_from_index((0, 0, voxels)).tolist())))
    (warning,) = prepare([ramp(AXIAL), moved], specification("t1", "flair")).warnings
    assert f"Channel flair covers {share} of the first channel" in warning


def test_a_smaller_first_channel_is_no_reason_to_warn() -> None:
    small = ramp(AXIAL.cropped((4, 4, 4), (20, 20, 20)))
    assert prepare([small, ramp(AXIAL)], specification("t1", "flair")).warnings == ()


@pytest.mark.parametrize(("thickness", "dimensions", "warned"), [(3.0, 3, False), (3.1, 3, True), (9.0, 2, False)])
def test_thick_slices_are_warned_of_in_three_dimensions(thickness: float, dimensions: int, warned: bool) -> None:
    thick = ramp(grid((5, 20, 20), (1.0, 1.0, thickness)))
    warnings = prepare([thick], specification("t1", dimensions=dimensions)).warnings
    assert [f"slices of {thickness:g} mm; the model works at 1 mm" in warning for warning in warnings] == [
        True
    ] * warned


def test_an_unstripped_head_is_warned_of_for_a_brain_model() -> None:
    wanted = specification("t1", mask="brain")
    (warning,) = prepare([ramp(AXIAL)], wanted).warnings
    assert "taught on skull-stripped brains" in warning
    assert prepare([ramp(AXIAL)], wanted, mask=box(AXIAL)).warnings == ()
    assert prepare([brain()[0]], wanted).warnings == ()
    assert prepare([ramp(AXIAL)], specification("t1", mask="everything")).warnings == ()


def test_a_stripped_brain_is_its_own_mask_and_sets_the_scale() -> None:
    image, inside = brain()
    prepared = prepare([image], specification("t1", mask="brain", normalisation=Normalisation()))
    assert np.array_equal(prepared.mask, inside)
    assert np.median(prepared.channels[0][inside]) == pytest.approx(0, abs=1e-5)
    assert prepared.channels[0][inside].std() == pytest.approx(1, abs=0.05)


def test_every_channel_is_scaled_by_itself_within_the_first_ones_tissue() -> None:
    image, inside = brain()
    other = image.with_array(np.where(inside, 5 * image.array + 70, 0).astype(np.float32), "flair.nii.gz")
    prepared = prepare([image, other], specification("t1", "flair", mask="brain", normalisation=Normalisation()))
    assert prepared.channels[1][inside] == pytest.approx(prepared.channels[0][inside], abs=1e-4)


def test_a_ct_body_is_found_in_hounsfield_units() -> None:
    image, inside = brain()
    ct = image.with_array(np.where(inside, 40, -1000).astype(np.int16))
    wanted = specification("ct", mask="body", modality="ct", normalisation=Normalisation(method="window"))
    prepared = prepare([ct], wanted)
    assert np.array_equal(prepared.mask, inside)
    assert np.unique(prepared.channels[0]) == pytest.approx([0, 1040 / 1400])


def test_a_given_mask_is_taken_from_its_place_in_the_patient() -> None:
    # Stored the other way round, twice as fine, and larger than the image.
    stored = grid((60, 62, 64), (0.5, 0.5, 0.5), np.diag([-1.0, -1, 1]), (5.0, -7.0, 9.0)).respaced((1.0, 0.5, 0.5))
    larger = grid((80, 80, 80), (0.5, 1.0, 2.0), np.diag([-1.0, -1, 1]), (5.0, -7.0, 9.0))
    expected = world_points(AXIAL)[..., 0] > 0
    assert np.array_equal(prepare([ramp(AXIAL)], specification("t1"), mask=box(larger)).mask, expected)
    inner = prepare([ramp(AXIAL)], specification("t1"), mask=box(stored)).mask
    assert inner.any()
    assert not np.any(inner & ~expected)


def test_a_search_mask_limits_where_candidates_are_and_leaves_intensities_alone() -> None:
    image, method = ramp(AXIAL), specification("t1", normalisation=Normalisation())
    everywhere, within = prepare([image], method), prepare([image], method, mask=box(AXIAL))
    np.testing.assert_array_equal(within.channels[0], everywhere.channels[0])
    np.testing.assert_array_equal(within.mask, box(AXIAL).array > 0)


def test_a_brain_mask_sets_the_scale_of_an_image_that_is_not_stripped() -> None:
    image = ramp(AXIAL)
    brain = specification("t1", normalisation=Normalisation()).model_copy(update={"mask": "brain"})
    prepared = prepare([image], brain, mask=box(AXIAL))
    assert np.median(prepared.channels[0][box(AXIAL).array > 0]) == pytest.approx(0, abs=1e-5)
    assert prepared.warnings == ()


def test_a_mask_that_is_empty_or_elsewhere_is_refused() -> None:
    empty = Volume(np.zeros(AXIAL.shape_zyx, np.uint8), AXIAL, "mask.nii.gz")
    with pytest.raises(GeometryError, match="The mask 'mask.nii.gz' is empty within the first channel"):
        prepare([ramp(AXIAL)], specification("t1"), mask=empty)
    with pytest.raises(GeometryError, match="'mask.nii.gz' does not overlap 'ramp'"):
        elsewhere = box(grid((24, 26, 28), centre_lps_mm=(200.0, 0.0, 0.0)))
        prepare([ramp(AXIAL)], specification("t1"), mask=elsewhere)


def test_tissue_that_falls_between_the_models_voxels_is_refused() -> None:
    # One bright voxel, and a grid six times as coarse whose nearest voxels all miss it.
    array = np.full((24, 24, 24), -1000, np.float32)
    array[0, 0, 0] = 100.0
    speck = Volume(array, grid((24, 24, 24)), "speck.nii.gz")
    with pytest.raises(ImageError, match="'speck.nii.gz' is too small for the model's grid"):
        prepare([speck], specification("ct", mask="body", modality="ct", spacing_mm=6.0))


def test_progress_rises_and_a_stop_is_obeyed() -> None:
    seen: list[Progress] = []
    prepare([ramp(AXIAL)] * 2, specification("t1", "flair"), run=Run(seen.append))
    assert [report.message for report in seen] == [
        "Resampling channel t1",
        "Resampling channel flair",
        "Finding tissue",
    ]
    fractions = [report.fraction for report in seen]
    assert fractions == sorted(fractions)
    with pytest.raises(CancelledError):
        prepare([ramp(AXIAL)], specification("t1"), run=Run(cancelled=lambda: len(seen) > 0))


def test_a_body_model_takes_an_image_without_background_whole_and_says_so() -> None:
    wanted = specification("t1", mask="body", normalisation=Normalisation())
    body, inside = brain()
    noisy = body.with_array(body.array + np.random.default_rng(1).random(AXIAL.shape_zyx).astype(np.float32))
    prepared = prepare([noisy], wanted)
    assert np.mean(prepared.mask != inside) < 0.001
    assert prepared.warnings == ()
    cropped = prepare([ramp(AXIAL)], wanted)
    assert cropped.mask.all()
    assert "dark background round the body, but this image has none" in cropped.warnings[0]
