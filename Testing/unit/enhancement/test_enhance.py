"""Using a model: where the image lies, on which scale, and what a model is not for."""

import numpy as np
import pytest
from small_models import ball_model, balls

from mtann import detect
from mtann.enhancement.enhance import compare, enhance
from mtann.enhancement.train import train_enhancement
from mtann.errors import CancelledError, GeometryError, ImageError, ModelError, SettingsError
from mtann.geometry import Geometry
from mtann.models.bundle import load_bundle, save_bundle
from mtann.volume import Volume
from unit.enhancement.pictures import BLOCK, QUICK, SMALL, clean, denoiser, denoising_cases, noisy, pair
from unit.grids import turned as rotation


def picture(seed=7):
    return pair(noisy(seed), clean(seed)).channels[0]


def test_the_image_has_the_inputs_grid_and_units():
    image = picture()
    made = enhance(image, denoiser(), device="cpu")
    assert made.geometry == image.geometry
    assert made.array.dtype == np.float32
    assert made.name == "a clean"
    assert np.mean(made.array) == pytest.approx(np.mean(image.array), abs=0.5)
    assert np.std(made.array - clean(7)) < 0.5 * np.std(image.array - clean(7))


def test_brightness_and_contrast_of_the_scanner_do_not_matter():
    image = picture()
    plain = enhance(image, denoiser(), device="cpu").array
    other = enhance(image.with_array(image.array * np.float32(4) - 300), denoiser(), device="cpu").array
    np.testing.assert_allclose(other, 4 * plain - 300, atol=0.05)


def test_subtracting_gives_what_was_taken_away():
    image = picture()
    made, taken = (enhance(image, denoiser(), subtract=one, device="cpu") for one in (False, True))
    np.testing.assert_allclose(made.array + taken.array, image.array, atol=1e-3)
    assert taken.name == "a without clean"


def test_outside_the_mask_the_image_stays():
    image = picture()
    mask = np.zeros(image.array.shape, np.uint8)
    mask[:, :, :30] = 1
    made = enhance(image, denoiser(), mask=image.with_array(mask, "mask"), device="cpu").array
    np.testing.assert_array_equal(made[:, :, 30:], image.array[:, :, 30:])
    inside = enhance(image, denoiser(), device="cpu").array[:, :, :30]
    np.testing.assert_allclose(made[:, :, :30], inside, atol=1e-4)


def test_a_flipped_image_on_another_grid_is_enhanced_where_it_lies():
    # The same picture stored the other way round: every place in the world gets the same value.
    image = picture()
    x, y, z = image.geometry.lps_from_index((0, 71, 79))
    turned = Geometry((1, 72, 80), (0.5, 0.5, 1.0), (x, y, z), (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
    flipped = Volume(image.array[:, ::-1, ::-1], turned, "flipped")
    made, other = enhance(image, denoiser(), device="cpu"), enhance(flipped, denoiser(), device="cpu")
    assert other.geometry == turned
    np.testing.assert_allclose(other.array[:, ::-1, ::-1], made.array, atol=1e-2)
    oblique = Volume(
        image.array, Geometry((1, 72, 80), (0.7, 0.7, 2.0), (3.0, 4.0, 5.0), tuple(rotation(20, -15, 35).ravel()))
    )
    assert enhance(oblique, denoiser(), device="cpu").geometry == oblique.geometry


def test_a_model_of_single_slices_refuses_volumes_but_a_slice_model_takes_them_one_by_one():
    volume = denoising_cases(1, BLOCK)[0].channels[0]
    with pytest.raises(ImageError, match="taught on single slices.*20 x 26 x 28 voxels"):
        enhance(volume, denoiser(), device="cpu")
    model = train_enhancement(denoising_cases(2, BLOCK), QUICK, network=SMALL, device="cpu")
    assert not model.card.single_slices
    made = enhance(volume, model, device="cpu")
    assert made.geometry == volume.geometry
    # A slice is enhanced without a look at its neighbours.
    shuffled = volume.with_array(volume.array[::-1])
    np.testing.assert_allclose(enhance(shuffled, model, device="cpu").array[::-1], made.array, atol=1e-3)


def test_a_saved_model_makes_the_same_image(tmp_path):
    save_bundle(denoiser(), tmp_path / "model")
    again = load_bundle(tmp_path / "model")
    assert again.card == denoiser().card
    np.testing.assert_array_equal(
        enhance(picture(), tmp_path / "model", device="cpu").array, enhance(picture(), denoiser(), device="cpu").array
    )


def test_models_of_another_kind_are_refused_with_the_right_command():
    with pytest.raises(ModelError, match="'balls' is of kind 'mtann' .*mtann detect'"):
        enhance(picture(), ball_model())
    with pytest.raises(ModelError, match="'denoiser' is of kind 'mtann_enhancement' .makes: clean.*mtann enhance'"):
        detect(balls(7).volume, denoiser())


def test_what_cannot_be_used_is_refused():
    image = picture()
    with pytest.raises(ImageError, match="in every voxel"):
        enhance(image.with_array(np.ones_like(image.array)), denoiser())
    with pytest.raises(ImageError, match="needs 1 channel"):
        enhance([image, image], denoiser())
    far = Volume(image.array, Geometry((1, 72, 80), (0.5, 0.5, 1.0), (900.0, 0.0, 0.0)), "far")
    with pytest.raises(GeometryError, match="'far' does not overlap 'a'"):
        compare(image, far)
    translator = train_enhancement(
        [pair(noisy(1), clean(1))], QUICK.model_copy(update={"target": "translated", "steps": 5}), network=SMALL
    )
    with pytest.raises(SettingsError, match="cannot be subtracted"):
        enhance(image, translator, subtract=True)


def test_a_target_on_another_grid_is_compared_where_it_lies():
    target = pair(clean(7), clean(7)).channels[0]
    part = Volume(target.array[:, :, 10:], target.geometry.cropped((0, 0, 10), (1, 72, 80)), "part")
    mask = np.zeros(target.array.shape, np.uint8)
    mask[:, :, 12:] = 1
    assert compare(target, part, target.with_array(mask)).psnr_db == 200


def test_warnings_progress_and_cancelling():
    warnings, seen, asked = [], [], iter(range(1000))
    enhance(picture(), denoiser(), warn=warnings.append, progress=seen.append, device="cpu")
    assert warnings == []
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    with pytest.raises(CancelledError):
        enhance(picture(), denoiser(), cancelled=lambda: next(asked) > 5, device="cpu")
