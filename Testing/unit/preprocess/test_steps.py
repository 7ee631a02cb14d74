"""Steps are known by name, checked when they are made, and applied in order."""

from typing import get_args

import numpy as np
import pytest
from pydantic import TypeAdapter

from mtann.errors import CancelledError, ImageError, SettingsError
from mtann.preprocess.apply import Place, apply_steps
from mtann.preprocess.equalise import equalise
from mtann.preprocess.inverse import NoWayBack
from mtann.preprocess.steps import STEPS, Equalisation, LimitedEqualisation, Step, TrendRemoval, make_step
from mtann.progress import Progress, Run

SHAPE = (4, 30, 40)
EVERYWHERE = np.ones(SHAPE, bool)


def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(300, 40, SHAPE).astype(np.float32)


def place(mask: np.ndarray = EVERYWHERE, dimensions: int = 3) -> Place:
    return Place(mask, (1.0, 1.0, 1.0), dimensions, "t1")


def test_every_kind_of_step_has_its_name_and_survives_json() -> None:
    kinds = get_args(get_args(Step)[0])
    assert tuple(STEPS.values()) == kinds
    for name in STEPS:
        step = make_step(name)
        assert step.kind == name
        assert TypeAdapter(Step).validate_json(step.model_dump_json()) == step


def test_an_unknown_step_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        SettingsError, match=r"no preprocessing step 'n5'\. Use one of: n4, equalise, ahe, clahe, trend"
    ):
        make_step("n5")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("clahe", {"clip_limit": 0.99}),
        ("clahe", {"clip_limit": float("nan")}),
        ("clahe", {"kernel_mm": 0.0}),
        ("ahe", {"clip_limit": 2.0}),
        ("equalise", {"bins": 8}),
        ("n4", {"levels": 0}),
        ("n4", {"iterations": 0}),
        ("n4", {"knot_mm": -1.0}),
        ("trend", {"order": 0}),
        ("trend", {"order": 6}),
        ("trend", {"sigma_mm": float("inf")}),
        ("trend", {"method": "spline"}),
        ("trend", {"contrast_sigma_mm": 0.0}),
    ],
)
def test_a_setting_out_of_range_is_refused(name: str, values: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(values))):
        make_step(name, **values)


def test_ranges_include_their_ends() -> None:
    assert make_step("clahe", clip_limit=1.0).clip_limit == 1
    assert make_step("n4", levels=5, iterations=1).levels == 5
    assert make_step("trend", order=5).order == 5


def test_steps_follow_one_another() -> None:
    tilted = noise() + np.linspace(0, 4000, SHAPE[2], dtype=np.float32)
    both, back = apply_steps(tilted, (TrendRemoval(order=1), Equalisation()), place(), Run())
    untilted, _ = apply_steps(tilted, (TrendRemoval(order=1),), place(), Run())
    np.testing.assert_array_equal(both, equalise(untilted, EVERYWHERE))
    # Equalised as it was, the image would still rise from left to right.
    assert np.corrcoef(both[..., 0].ravel(), both[..., -1].ravel())[0, 1] == pytest.approx(0, abs=0.2)
    assert both[..., -5:].mean() == pytest.approx(both[..., :5].mean(), abs=0.05)
    assert len(back) == 2


def test_no_step_leaves_the_image_alone() -> None:
    image, back = apply_steps(noise(), (), place(), Run())
    np.testing.assert_array_equal(image, noise())
    assert back == ()


@pytest.mark.parametrize("name", STEPS)
def test_a_constant_image_is_refused_by_every_step(name: str) -> None:
    image, mask = noise(), EVERYWHERE.copy()
    mask[0] = False
    image[1:] = 7
    with pytest.raises(ImageError, match="'t1' has the same value throughout the tissue mask"):
        apply_steps(image, (make_step(name),), place(mask), Run())


@pytest.mark.parametrize("name", STEPS)
def test_the_callers_image_is_left_alone(name: str) -> None:
    image = noise()
    result, _ = apply_steps(image, (make_step(name),), place(), Run())
    np.testing.assert_array_equal(image, noise())
    assert result.dtype == np.float32
    assert not np.array_equal(result, image)


@pytest.mark.parametrize("name", STEPS)
def test_every_step_says_what_it_does_and_can_be_stopped(name: str) -> None:
    seen: list[Progress] = []
    apply_steps(noise(), (make_step(name),), place(), Run(seen.append))
    assert all("channel t1" in report.message for report in seen)
    assert [report.fraction for report in seen] == sorted(report.fraction for report in seen)
    with pytest.raises(CancelledError):
        apply_steps(noise(), (make_step(name),), place(), Run(cancelled=lambda: True))


def test_the_kernel_is_in_millimetres_and_stays_within_a_slice_of_a_2d_model() -> None:
    rising = noise() + 1000 * np.arange(SHAPE[0], dtype=np.float32)[:, None, None]
    flat, _ = apply_steps(rising, (make_step("ahe", kernel_mm=20),), place(dimensions=2), Run())
    # Each slice is equalised by itself, so that its neighbours' levels play no part.
    assert flat.mean(axis=(1, 2)) == pytest.approx(0.5, abs=0.02)
    deep, _ = apply_steps(rising, (make_step("ahe", kernel_mm=20),), place(), Run())
    assert deep.mean(axis=(1, 2)) == pytest.approx([0.125, 0.375, 0.625, 0.875], abs=0.02)
    step = LimitedEqualisation(kernel_mm=20, clip_limit=4)
    coarse = Place(EVERYWHERE, (4.0, 2.0, 2.0), 3, "t1")
    twice = LimitedEqualisation(kernel_mm=40, clip_limit=4)
    fine = Place(EVERYWHERE, (2.0, 1.0, 1.0), 3, "t1")
    np.testing.assert_array_equal(
        apply_steps(noise(), (twice,), coarse, Run())[0], apply_steps(noise(), (step,), fine, Run())[0]
    )


@pytest.mark.parametrize("name", ["equalise", "ahe", "clahe"])
def test_equalisation_has_no_way_back(name: str) -> None:
    _, (way,) = apply_steps(noise(), (make_step(name),), place(), Run())
    assert isinstance(way, NoWayBack)
    with pytest.raises(SettingsError, match=rf"equalisation \('{name}'\) of channel 't1' cannot be undone"):
        way.invert(noise())


@pytest.mark.parametrize("name", ["n4", "trend"])
def test_what_was_taken_out_leads_back_only_if_it_was_kept(name: str) -> None:
    step = make_step(name)
    _, (dropped,) = apply_steps(noise(), (step,), place(), Run())
    with pytest.raises(SettingsError, match=rf"'{name}' took out of channel 't1' was not kept.*keep_fields=True"):
        dropped.invert(noise())
    kept = Place(EVERYWHERE, (1.0, 1.0, 1.0), 3, "t1", keep_fields=True)
    result, (way,) = apply_steps(noise(), (step,), kept, Run())
    np.testing.assert_allclose(way.invert(result), noise(), rtol=1e-5)
