"""What models learn: known filters, noise, components; how they are measured; what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from mtann.cases import CaseFiles
from mtann.enhancement.enhance import compare, enhance
from mtann.enhancement.pairs import EnhancementCase, load_enhancement_case
from mtann.enhancement.train import train_enhancement
from mtann.errors import CancelledError, CasesError, GeometryError, ImageError, SettingsError
from mtann.preprocess.choose import Preprocessing
from mtann.preprocess.steps import make_step
from mtann.settings import NetworkSettings
from unit.enhancement.pictures import (
    BLOCK,
    QUICK,
    SMALL,
    clean,
    denoiser,
    denoising_cases,
    noisy,
    pair,
)


def taught(cases, target="enhanced", network=SMALL, **changes):
    return train_enhancement(
        cases, QUICK.model_copy(update={"target": target, **changes}), network=network, device="cpu"
    )


def relative_error(model, case):
    """Root mean square of the error, as a fraction of the target's deviation."""
    made = enhance(case.channels[0], model, device="cpu").array
    return float(np.std(made - case.target.array) / np.std(case.target.array))


def test_denoising_gains_six_decibels_on_an_unseen_picture():
    image, target = denoising_cases(6)[5].channels[0], denoising_cases(6)[5].target
    before, after = compare(image, target), compare(enhance(image, denoiser(), device="cpu"), target)
    assert after.psnr_db > before.psnr_db + 6
    assert after.ssim > before.ssim + 0.2


def test_quality_is_measured_out_of_fold_beside_the_input():
    quality = denoiser().card.quality
    assert quality.cases == 4
    assert "2 folds by patient" in quality.measured_on
    given = [compare(case.channels[0], case.target) for case in denoising_cases()]
    assert quality.input.psnr_db == pytest.approx(np.mean([one.psnr_db for one in given]), abs=1e-3)
    assert quality.output.psnr_db > quality.input.psnr_db + 6


def test_what_a_fold_has_not_seen_is_not_flattered():
    # The target of each case is noise of its own: nothing about it can be known but by having seen it.
    cases = [pair(noisy(seed), np.random.default_rng(seed).normal(size=(1, 72, 80)), f"p{seed}") for seed in (1, 2)]
    settings = {"target": "translated", "voxels_per_case": 60, "levels": 1, "steps": 400, "batch_size": 60}
    seen, unseen = (taught(cases, **settings, folds=folds).card.quality for folds in (0, 2))
    assert "flatter" in seen.measured_on
    assert unseen.output.psnr_db < seen.output.psnr_db


def test_a_local_mean_is_learnt():
    mean = lambda seed: ndimage.uniform_filter(clean(seed), (1, 5, 5))  # noqa: E731
    model = taught([pair(clean(seed), mean(seed), f"p{seed}") for seed in range(4)])
    assert relative_error(model, pair(clean(9), mean(9))) < 0.04


def ct(seed):
    """An image whose intensities mean the same in every case, as Hounsfield units do, with air at its left."""
    return 3 * clean(seed) - 1300 * (np.indices((1, 72, 80))[2] < 8)


def test_a_line_to_other_units_is_exact():
    model = taught([pair(ct(seed), 2 * ct(seed) + 1, f"p{seed}") for seed in range(2)], "translated", steps=20)
    assert model.card.inputs.channels[0].modality == "ct"
    made = enhance(pair(ct(9), ct(9)).channels[0], model, device="cpu").array
    np.testing.assert_allclose(made[0, :, 8:], 2 * ct(9)[0, :, 8:] + 1, atol=0.1)
    # Outside of the body it is what it was there in training.
    np.testing.assert_allclose(made[0, :, :8], np.median([2 * ct(seed)[0, :, :8] + 1 for seed in range(2)]), atol=0.1)


def test_a_curve_to_other_units_is_learnt_beyond_its_line():
    curve = lambda seed: 50 * np.tanh((clean(seed) - 100) / 20)  # noqa: E731
    model = taught([pair(clean(seed), curve(seed), f"p{seed}") for seed in range(4)], "translated", steps=500)
    assert model.card.quality.output.psnr_db > model.card.quality.input.psnr_db + 4


def test_a_component_is_learnt_whatever_the_detectors_gain_and_offset():
    def case(seed, gain, offset):
        stripes = 30 * (np.sin(np.indices((1, 72, 80))[1] / 2 + seed) > 0)
        return pair(gain * (clean(seed) + stripes) + offset, gain * stripes, f"p{seed}")

    model = taught([case(0, 1, 0), case(1, 3, -500), case(2, 0.1, 20), case(3, 1, 1000)], "component")
    assert relative_error(model, case(9, 1, 0)) < 0.3
    plain, changed = (enhance(one.channels[0], model, device="cpu").array for one in (case(9, 1, 0), case(9, 2, 300)))
    np.testing.assert_allclose(changed, 2 * plain, atol=0.2)
    # Quality is of what is left, the stripes subtracted; the input is what one has without the model.
    assert model.card.quality.output.psnr_db > model.card.quality.input.psnr_db + 8


@pytest.mark.parametrize(("subvolume", "dimensions"), [("sphere", 3), ("planes", 3), ("sphere", 2)])
def test_volumes_are_denoised(subvolume, dimensions):
    network = NetworkSettings(dimensions=dimensions, subvolume=subvolume, dilations=(1,), hidden=(16,))
    model = taught(denoising_cases(2, BLOCK), network=network, levels=2)
    case = denoising_cases(4, BLOCK)[3]
    before, after = compare(case.channels[0], case.target), compare(enhance(case.channels[0], model), case.target)
    assert after.psnr_db > before.psnr_db + (4 if dimensions == 2 else 5)


def test_the_same_seed_gives_the_same_weights():
    cases = denoising_cases(2)
    first, again, other = (taught(cases, steps=20, seed=seed) for seed in (3, 3, 4))
    assert first.sha256 == again.sha256
    assert not np.array_equal(first.weights["level_0.first_weight"], other.weights["level_0.first_weight"])


def test_a_second_channel_is_used():
    # The second channel is the target itself, displaced in neither space nor scale.
    def case(seed):
        one = pair(noisy(seed, sigma=40), clean(seed), f"p{seed}")
        return EnhancementCase(one.case, one.patient, (one.channels[0], one.target), one.target)

    model = taught([case(seed) for seed in range(3)])
    unseen = case(9)
    made = enhance(unseen.channels, model, device="cpu")
    assert np.std(made.array - unseen.target.array) < 0.2 * np.std(unseen.target.array)


def test_a_target_on_another_grid_is_taken_where_it_lies():
    case = denoising_cases(1)[0]
    # Every second pixel of the target, and half a picture of it: the rest is not learnt from.
    z, y, x = case.target.array.shape
    geometry = case.target.geometry.cropped((0, 0, 0), (z, y, x // 2))
    half = replace(case.target, array=case.target.array[:, :, : x // 2], geometry=geometry)
    spoilt = np.array(case.channels[0].array)
    spoilt[:, :, x // 2 + 8 :] = 1e4
    cropped = replace(case, channels=(case.channels[0].with_array(spoilt),), target=half)
    assert taught([cropped]).card.quality.output.psnr_db > taught([case]).card.quality.input.psnr_db


def test_a_target_elsewhere_empty_or_missing_is_refused():
    case = denoising_cases(1)[0]
    far = replace(case.target, geometry=replace(case.target.geometry, origin_lps_mm=(900.0, 0.0, 0.0)))
    with pytest.raises(GeometryError, match="'p0 target' does not overlap 'p0'"):
        taught([replace(case, target=far)])
    with pytest.raises(ImageError, match="'p0 target' has the value"):
        taught([replace(case, target=case.target.with_array(np.ones_like(case.target.array)))])
    left, right = (np.zeros(case.target.array.shape, np.uint8) for _ in range(2))
    left[:, :, :20], right[:, :, 60:] = 1, 1
    part = case.target.geometry.cropped((0, 0, 0), (1, 72, 20))
    target = replace(case.target, array=case.target.array[:, :, :20], geometry=part)
    with pytest.raises(GeometryError, match="shows none of the tissue of 'p0'"):
        taught([replace(case, target=target, mask=case.target.with_array(right, "mask"))])


def test_constant_images_and_wrong_cases_are_refused():
    case = denoising_cases(1)[0]
    flat = case.channels[0].with_array(np.ones_like(case.channels[0].array))
    with pytest.raises(ImageError, match="in every voxel"):
        taught([replace(case, channels=(flat,))])
    with pytest.raises(CasesError, match="no case"):
        taught([])
    with pytest.raises(CasesError, match="'a' has no target image"):
        load_enhancement_case(CaseFiles("a", "p", {}))
    with pytest.raises(CasesError, match="has no image"):
        replace(case, channels=())
    with pytest.raises(CasesError, match="'p0' has 1 channel.s. where 2 are expected"):
        train_enhancement([case], QUICK, channels=("a", "b"))


def test_intensities_that_cannot_be_brought_back_are_refused():
    equalised = {"channel 1": Preprocessing(steps=(make_step("equalise"),))}
    with pytest.raises(SettingsError, match="cannot be undone"):
        train_enhancement(denoising_cases(1), QUICK, preprocessing=equalised)
    with pytest.raises(SettingsError, match="'name'"):
        train_enhancement(denoising_cases(1), QUICK, name="_m")


def test_cancelling_leaves_nothing(tmp_path):
    asked = iter(range(10_000))
    with pytest.raises(CancelledError):
        train_enhancement(denoising_cases(1), QUICK, output=tmp_path / "model", cancelled=lambda: next(asked) > 15)
    assert list(tmp_path.iterdir()) == []
