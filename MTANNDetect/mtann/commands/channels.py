"""Options that say how each channel's intensities are treated, written as text."""

import argparse

from mtann.errors import SettingsError
from mtann.preprocess.choose import Preprocessing
from mtann.preprocess.normalise import WINDOWS, Normalisation, window
from mtann.preprocess.steps import STEPS, Step, make_step
from mtann.settings import make_settings


def add_preprocessing(parser: argparse.ArgumentParser) -> None:
    """Add ``--preprocess`` and ``--normalisation``."""
    parser.add_argument(
        "--preprocess",
        action="append",
        default=[],
        metavar="NAME=STEP[,STEP...]",
        help=f"what is done to a channel's intensities first, in order: {', '.join(STEPS)}; "
        "a step's settings follow it, as in clahe:kernel_mm=20:clip_limit=2 (default: nothing; once a channel)",
    )
    parser.add_argument(
        "--normalisation",
        action="append",
        default=[],
        metavar="NAME=HOW",
        help="how a channel's intensities are scaled: robust_zscore, percentiles:LOW:HIGH[:LEAST:MOST] "
        "(all that is less, as fluid may be, counts as LEAST on the new scale), window:LOW:HIGH, or a CT "
        f"window by name, window:{'|'.join(WINDOWS)} (default: by its images; once a channel)",
    )


def read_preprocessing(arguments: argparse.Namespace) -> dict[str, Preprocessing]:
    """What the user chose, by channel name.

    Raises:
        SettingsError: A text cannot be read, or names a step, setting or window that there is not.
    """
    steps = {name: parse_steps(text) for name, text in _by_channel("--preprocess", arguments.preprocess).items()}
    scales = {
        name: parse_normalisation(text)
        for name, text in _by_channel("--normalisation", arguments.normalisation).items()
    }
    return {
        name: Preprocessing(steps=steps.get(name, ()), normalisation=scales.get(name))
        for name in dict.fromkeys((*steps, *scales))
    }


def parse_steps(text: str) -> tuple[Step, ...]:
    """Steps from text such as ``trend,clahe:clip_limit=2``.

    Raises:
        SettingsError: There is no such step or setting, or a value is out of range.
    """
    steps = []
    for part in text.split(","):
        name, *settings = part.strip().split(":")
        pairs = [setting.partition("=") for setting in settings]
        if any(not field or not value for field, _, value in pairs):
            raise SettingsError(f"A step's settings are written STEP:SETTING=VALUE; found '{part.strip()}'.")
        steps.append(make_step(name, **{field.strip(): value.strip() for field, _, value in pairs}))
    return tuple(steps)


def parse_normalisation(text: str) -> Normalisation:
    """A normalisation from text.

    That is ``robust_zscore``, ``percentiles:2:75``, ``percentiles:2:90:0.6:3``, ``window:lung`` or ``window:-160:240``.

    Raises:
        SettingsError: It is none of these.
    """
    match text.strip().split(":"):
        case ["robust_zscore"]:
            return Normalisation()
        case ["percentiles", low, high]:
            return make_settings(Normalisation, method="percentiles", low=low, high=high)
        case ["percentiles", low, high, least, most]:
            return make_settings(Normalisation, method="percentiles", low=low, high=high, clip=(least, most))
        case ["window", name]:
            return window(name)
        case ["window", low, high]:
            return make_settings(Normalisation, method="window", low=low, high=high)
    raise SettingsError(
        "A normalisation is robust_zscore, percentiles:LOW:HIGH[:LEAST:MOST], window:LOW:HIGH or window:NAME with one "
        f"of {', '.join(WINDOWS)}; found '{text}'."
    )


def _by_channel(option: str, texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    names = [name.strip() for name, _, _ in pairs]
    if any(not name or not value for name, _, value in pairs) or len(set(names)) < len(names):
        raise SettingsError(f"{option} takes NAME=..., each channel once; found {', '.join(texts)}.")
    return dict(zip(names, (value for _, _, value in pairs), strict=True))
