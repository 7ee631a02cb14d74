"""Preprocessing as text on the command line."""

from argparse import ArgumentParser

import pytest

from mtann.commands.channels import add_preprocessing, parse_normalisation, parse_steps, read_preprocessing
from mtann.errors import SettingsError
from mtann.preprocess.choose import Preprocessing
from mtann.preprocess.normalise import Normalisation, window
from mtann.preprocess.steps import (
    AdaptiveEqualisation,
    BiasCorrection,
    Equalisation,
    LimitedEqualisation,
    TrendRemoval,
)


def read(*texts: str) -> dict[str, Preprocessing]:
    parser = ArgumentParser()
    add_preprocessing(parser)
    return read_preprocessing(parser.parse_args(texts))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("n4", (BiasCorrection(),)),
        ("trend,clahe", (TrendRemoval(), LimitedEqualisation())),
        (" equalise , ahe ", (Equalisation(), AdaptiveEqualisation())),
        ("clahe:kernel_mm=20:clip_limit=2", (LimitedEqualisation(kernel_mm=20, clip_limit=2),)),
        (
            "trend:method=gaussian:sigma_mm=15.5:contrast_sigma_mm=8,n4:levels=2",
            (TrendRemoval(method="gaussian", sigma_mm=15.5, contrast_sigma_mm=8), BiasCorrection(levels=2)),
        ),
    ],
)
def test_steps_are_read_in_order_with_their_settings(text: str, steps: tuple[object, ...]) -> None:
    assert parse_steps(text) == steps


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("robust_zscore", Normalisation()),
        ("window:lung", window("lung")),
        ("percentiles:2:75", Normalisation(method="percentiles", low=2, high=75)),
        ("percentiles:2:90:0.6:3", Normalisation(method="percentiles", low=2, high=90, clip=(0.6, 3.0))),
        ("window:-160:240", Normalisation(method="window", low=-160, high=240)),
    ],
)
def test_a_normalisation_is_read(text: str, how: Normalisation) -> None:
    assert parse_normalisation(text) == how


def test_choices_are_put_together_by_channel() -> None:
    chosen = read("--preprocess", "t1c=n4", "--normalisation", "ct=window:bone", "--normalisation", "t1c=robust_zscore")
    assert chosen == {
        "t1c": Preprocessing(steps=(BiasCorrection(),), normalisation=Normalisation()),
        "ct": Preprocessing(normalisation=window("bone")),
    }
    assert read() == {}


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        ("--preprocess", "t1c=n5", "no preprocessing step 'n5'. Use one of: n4, equalise, ahe, clahe, trend"),
        ("--preprocess", "t1c=n4,", "no preprocessing step ''"),
        ("--preprocess", "t1c", "--preprocess takes NAME=..., each channel once; found t1c"),
        ("--preprocess", "=n4", "each channel once"),
        ("--preprocess", "t1c=clahe:clip_limit", "STEP:SETTING=VALUE; found 'clahe:clip_limit'"),
        ("--preprocess", "t1c=clahe:clip=2", "Setting 'clip' cannot be '2'"),
        ("--preprocess", "t1c=clahe:clip_limit=0.5", "Setting 'clip_limit' cannot be '0.5'"),
        ("--preprocess", "t1c=clahe:clip_limit=high", "Setting 'clip_limit' cannot be 'high'"),
        ("--normalisation", "ct=window:spleen", "no CT window 'spleen'"),
        ("--normalisation", "ct=window:5:1", "low must be less than high"),
        ("--normalisation", "ct=percentiles:-1:75", "percentiles lie between 0 and 100; found low -1 and high 75"),
        ("--normalisation", "ct=percentiles:2:101", "percentiles lie between 0 and 100; found low 2 and high 101"),
        ("--normalisation", "ct=window:a:b", "Setting 'low' cannot be 'a'"),
        ("--normalisation", "ct=zscore", "percentiles:LOW:HIGH[:LEAST:MOST], window:LOW:HIGH or window:NAME with"),
        ("--normalisation", "ct=percentiles:2:90:0.6", "A normalisation is robust_zscore, percentiles:LOW:HIGH"),
        ("--normalisation", "ct=percentiles:2:90:3:0.6", "the first clip value less than the second"),
        ("--normalisation", "ct=window", "found 'window'"),
        ("--normalisation", "ct=robust_zscore:2", "found 'robust_zscore:2'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_could(option: str, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(option, text)
    assert says in str(caught.value)


def test_a_channel_is_named_once() -> None:
    with pytest.raises(SettingsError, match="each channel once; found t1c=n4, t1c=clahe"):
        read("--preprocess", "t1c=n4", "--preprocess", "t1c=clahe")
