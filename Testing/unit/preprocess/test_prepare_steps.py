"""Steps in a prepared case: within the tissue, channel by channel, and back again."""

import numpy as np
import pytest

from mtann.errors import CancelledError, SettingsError
from mtann.preprocess.normalise import Normalisation
from mtann.preprocess.prepare import Channel, InputSpecification, prepare
from mtann.preprocess.steps import BiasCorrection, Equalisation, LimitedEqualisation, Step, TrendRemoval
from mtann.progress import Progress, Run
from mtann.settings import make_settings
from mtann.volume import Volume
from unit.grids import grid, ramp, world_points

AXIAL = grid((24, 26, 28))


def brain() -> tuple[Volume, np.ndarray]:
    """A stripped brain, and where it is."""
    inside = np.linalg.norm(world_points(AXIAL), axis=-1) < 9
    values = np.random.default_rng(0).normal(300, 40, AXIAL.shape_zyx)
    return Volume(np.where(inside, values, 0).astype(np.float32), AXIAL, "t1.nii.gz"), inside


def stepped(*steps: Step, normalisation: Normalisation | None = None) -> InputSpecification:
    """A model of one channel with steps, on stripped brains."""
    wide = normalisation or Normalisation(clip=(-1000.0, 1000.0))
    return InputSpecification(
        channels=(Channel(name="t1", steps=steps, normalisation=wide),), spacing_mm=1.0, mask="brain"
    )


def test_steps_work_in_the_tissue_before_normalisation() -> None:
    image, inside = brain()
    unit = Normalisation(method="window", low=0.0, high=1.0)
    channel = prepare([image], stepped(Equalisation(), normalisation=unit)).channels[0]
    counts, _ = np.histogram(channel[inside], bins=10, range=(0, 1))
    assert counts / counts.sum() == pytest.approx(0.1, abs=0.005)


def test_each_channel_has_its_own_steps() -> None:
    image, inside = brain()
    plain, flat = (Channel(name="a"), Channel(name="b", steps=(Equalisation(),)))
    both = InputSpecification(channels=(plain, flat), spacing_mm=1.0, mask="brain")
    prepared = prepare([image, image], both)
    alone = prepare([image], both.model_copy(update={"channels": (plain,)}))
    np.testing.assert_array_equal(prepared.channels[0], alone.channels[0])
    # Uniform values have their quartiles at half the way to the ends: nothing lies beyond 2 of such deviations.
    assert np.abs(prepared.channels[1][inside]).max() == pytest.approx(0.5 / (0.25 * 1.4826), rel=0.02)


def test_intensities_come_back_on_the_models_grid() -> None:
    image, inside = brain()
    steps = (BiasCorrection(iterations=2), TrendRemoval(contrast_sigma_mm=5.0))
    kept = prepare([image], stepped(*steps), keep_fields=True)
    restored = kept.inverses[0].invert(kept.channels[0])
    np.testing.assert_allclose(restored[inside], image.array[inside], rtol=1e-4)
    assert np.abs(kept.channels[0][inside] * 40 + 300 - image.array[inside]).max() > 5
    dropped = prepare([image], stepped(*steps))
    with pytest.raises(SettingsError, match="'trend' took out of channel 't1' was not kept"):
        dropped.inverses[0].invert(dropped.channels[0])


def test_without_steps_intensities_come_back_as_a_matter_of_course() -> None:
    images = [ramp(AXIAL), brain()[0]]
    wide = [Channel(name=name, normalisation=Normalisation(clip=(-1000.0, 1000.0))) for name in ("a", "b")]
    prepared = prepare(images, InputSpecification(channels=tuple(wide), spacing_mm=1.0))
    for image, channel, inverse in zip(images, prepared.channels, prepared.inverses, strict=True):
        np.testing.assert_allclose(inverse.invert(channel), image.array, atol=1e-3)


def test_equalisation_in_a_channel_blocks_its_way_back() -> None:
    prepared = prepare([brain()[0]], stepped(LimitedEqualisation()), keep_fields=True)
    with pytest.raises(SettingsError, match=r"\('clahe'\) of channel 't1' cannot be undone"):
        prepared.inverses[0].invert(prepared.channels[0])


@pytest.mark.parametrize(("low", "high", "fits"), [(0.0, 1.0, True), (-0.1, 1.0, False), (0.0, 1.1, False)])
def test_a_window_after_equalisation_lies_within_0_to_1(low: float, high: float, fits: bool) -> None:
    values = {
        "name": "ct",
        "steps": (Equalisation(),),
        "normalisation": Normalisation(method="window", low=low, high=high),
    }
    if fits:
        assert make_settings(Channel, **values).normalisation.high == high
        return
    with pytest.raises(
        SettingsError, match="after histogram equalisation the values of channel 'ct' lie between 0 and 1"
    ):
        make_settings(Channel, **values)
    # What comes after the equalisation may spread the values again.
    assert make_settings(Channel, **{**values, "steps": (Equalisation(), TrendRemoval())})


def test_steps_report_their_progress_and_can_be_stopped() -> None:
    seen: list[Progress] = []
    prepare([brain()[0]], stepped(BiasCorrection(iterations=2), Equalisation()), run=Run(seen.append))
    assert [report.message for report in seen][-2:] == [
        "Estimating the bias field of channel t1",
        "Equalising channel t1",
    ]
    fractions = [report.fraction for report in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 0.9
    with pytest.raises(CancelledError):
        stop = Run(seen.append, cancelled=lambda: "bias" in seen[-1].message)
        seen.clear()
        seen.append(Progress("start", 0.0, ""))
        prepare([brain()[0]], stepped(BiasCorrection()), run=stop)
    assert sum("bias" in report.message for report in seen) == 1
