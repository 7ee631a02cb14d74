"""Plans of fingerprints: grids, configurations and normalisation, checked on cases that are clear beforehand."""

import pytest

from mtann.errors import CasesError, SettingsError
from mtann.planning.fingerprint import Fingerprint
from mtann.planning.labels import Labels
from mtann.planning.plan import Intensities
from mtann.planning.planner import make_plan

INTENSITIES = Intensities(mean=0, std=1, median=0, percentile_00_5=-1, percentile_99_5=1, minimum=-2, maximum=2)
LESION = Labels(labels={"lesion": 1})


def fingerprint(spacings, shapes, channels=("t1",), kept=1.0, found=None):
    return Fingerprint(
        channels=channels,
        spacings_zyx_mm=spacings,
        shapes_zyx=shapes,
        kept_share=kept,
        intensities=(INTENSITIES,) * len(channels),
        cases_with_label=found or {},
    )


def names(plan):
    return [one.name for one in plan.configurations]


def test_isotropic_cases_take_the_median_spacing_and_the_published_patch():
    plan = make_plan("x", fingerprint([(1, 1, 1)] * 99, [(155, 190, 147)] * 99), LESION)
    full = plan.configuration("3d_fullres")
    assert names(plan) == ["2d", "3d_fullres"]
    # About 128 cubed with batches of two: what nnU-Net is known for on whole heads. The peers' test has it exactly.
    assert (full.spacing, full.patch_size, full.batch_size) == ((1, 1, 1), (128, 160, 112), 2)
    assert full.architecture.features == (32, 64, 128, 256, 320, 320)


def test_a_coarse_axis_takes_its_tenth_percentile():
    spacings = [(z, 1, 1) for z in (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)]
    plan = make_plan("x", fingerprint(spacings, [(12, 200, 200)] * 11), LESION)
    assert plan.configuration("3d_fullres").spacing == (5, 1, 1)
    assert "10th percentile along axis z" in plan.reasons[0]


def test_a_coarse_axis_never_gets_finer_than_the_others():
    spacings = [(z, 1, 1) for z in (0.5, 0.5, 4, 4, 4)]
    plan = make_plan("x", fingerprint(spacings, [(12, 200, 200)] * 5), LESION)
    assert plan.configuration("3d_fullres").spacing[0] == pytest.approx(1.00001)


def test_the_axis_of_largest_spacing_comes_first():
    plan = make_plan("x", fingerprint([(1, 1, 2.5)] * 4, [(100, 100, 40)] * 4), LESION)
    assert plan.transpose_forward == (2, 0, 1)
    assert plan.configuration("3d_fullres").spacing == (2.5, 1, 1)
    assert plan.configuration("2d").spacing == (1, 1)


def test_large_cases_get_a_low_resolution_and_a_cascade():
    plan = make_plan("x", fingerprint([(0.8, 0.8, 0.8)] * 20, [(500, 512, 512)] * 20, ("CT",)), LESION)
    assert names(plan) == ["2d", "3d_lowres", "3d_fullres", "3d_cascade_fullres"]
    low, full, cascade = plan.configurations[1:]
    assert (low.batch_dice, full.batch_dice, cascade.batch_dice) == (False, True, True)
    assert cascade.model_copy(update={"name": full.name, "previous": None}) == full
    assert cascade.previous == "3d_lowres"
    covered = low.patch_size[0] * low.patch_size[1] * low.patch_size[2] / 131_072_000 * (low.spacing[0] / 0.8) ** 3
    assert 0.25 <= covered < 0.3
    assert low.normalisation == ("ct",)


def test_single_slices_are_planned_in_two_dimensions_alone():
    plan = make_plan("x", fingerprint([(999, 1, 1)] * 4, [(1, 256, 256)] * 4), LESION)
    assert names(plan) == ["2d"]


def test_intensities_are_standardised_in_the_mask_where_the_cut_removed_much():
    cases = ([(1, 1, 1)] * 3, [(64, 64, 64)] * 3, ("t1", "CT"))
    assert make_plan("x", fingerprint(*cases, kept=0.74), LESION).configurations[0].normalise_in_mask == (True, False)
    assert make_plan("x", fingerprint(*cases, kept=0.75), LESION).configurations[0].normalise_in_mask == (False, False)


def test_more_memory_gives_a_larger_patch_or_batch():
    cases = fingerprint([(1, 1, 1)] * 200, [(300, 300, 300)] * 200)
    small, large = (make_plan("x", cases, LESION, memory_gb=gb).configuration("3d_fullres") for gb in (8, 32))
    assert min(b - a for a, b in zip(small.patch_size, large.patch_size, strict=True)) > 0


def test_a_residual_preset_plans_residual_blocks():
    plan = make_plan("x", fingerprint([(1, 1, 1)] * 9, [(128, 128, 128)] * 9), LESION, "residual_l")
    architecture = plan.configuration("3d_fullres").architecture
    assert architecture.network == "residual_unet"
    assert architecture.encoder_blocks == (1, 3, 4, 6, 6, 6)
    assert architecture.decoder_convolutions == (1,) * 5


def test_every_decision_has_a_reason_in_words():
    found = fingerprint([(0.8, 0.8, 0.8)] * 20, [(500, 512, 512)] * 20, ("CT",), found={"lesion": 3})
    reasons = "\n".join(make_plan("x", found, LESION).reasons)
    for part in (
        "full resolution is 0.8 x 0.8 x 0.8 mm",
        "Channel 'CT' is clipped",
        "Label 'lesion' occurs in 3 of 20 cases",
        "3d_lowres: the patch is",
        "3d_fullres: the batch size is 2",
        "There is a 3d_lowres, since",
    ):
        assert part in reasons


def test_too_small_cases_are_refused():
    with pytest.raises(CasesError, match="too small for a U-Net: the median is 6 x 7 x 7 voxels"):
        make_plan("x", fingerprint([(1, 1, 1)] * 3, [(6, 7, 7)] * 3), LESION)


def test_too_little_memory_is_refused():
    with pytest.raises(SettingsError, match="too little for any patch"):
        make_plan("x", fingerprint([(1, 1, 1)] * 3, [(64, 64, 64)] * 3), LESION, memory_gb=1e-6)


def test_an_unknown_preset_is_answered_with_the_known_ones():
    with pytest.raises(SettingsError, match="no preset 'huge'. Use one of: plain, residual_m"):
        make_plan("x", fingerprint([(1, 1, 1)] * 3, [(64, 64, 64)] * 3), LESION, "huge")
