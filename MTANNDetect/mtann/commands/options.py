"""Command line options that several subcommands share, and options made from settings."""

import argparse
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from mtann.errors import SettingsError
from mtann.settings import Settings, make_settings

S = TypeVar("S", bound=Settings)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``, which every subcommand has."""
    parser.add_argument("--json", action="store_true", help="print one JSON document for machines instead of text")


def add_case_list(parser: argparse.ArgumentParser, columns: str) -> None:
    """Add ``--cases`` and ``--output`` of a command that makes a model; ``columns`` says what the list holds."""
    parser.add_argument("--cases", required=True, type=Path, metavar="CSV", help=f"columns {columns}")
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="BUNDLE",
        help="folder for the model; a former model there is replaced",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda", "mps", "xpu"],
        default="auto",
        help="where to compute (default: auto)",
    )


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add ``--backend`` and ``--precision``."""
    parser.add_argument(
        "--backend",
        choices=["auto", "torch", "openvino"],
        default="auto",
        help="what evaluates networks (default: auto, the fastest; the result says which and why)",
    )
    parser.add_argument(
        "--precision",
        choices=["auto", "fp32", "bf16", "fp16"],
        default="auto",
        help="of the numbers within a network (default: auto, which never changes an MTANN's scores)",
    )


def read_values(option: str, text: str) -> list[int]:
    """Label values from text such as ``1,2``.

    Raises:
        SettingsError: It holds something else.
    """
    try:
        return [int(value) for value in text.split(",") if value.strip()]
    except ValueError as error:
        raise SettingsError(f"{option} takes whole numbers separated by commas; found '{text}'.") from error


def add_settings(
    parser: argparse.ArgumentParser, kind: type[Settings] | Settings, title: str, leave_out: Sequence[str] = ()
) -> None:
    """Add an option for every field of a settings class, with its description and default; or of settings as they are.

    Of settings that are given whole, their own values are shown as defaults.
    """
    group = parser.add_argument_group(title)
    fields = (kind if isinstance(kind, type) else type(kind)).model_fields
    for name, field in fields.items():
        if name in leave_out:
            continue
        value = field.default if isinstance(kind, type) else getattr(kind, name)
        default = json.dumps(value) if value is not None else "none"
        text = f"{field.description} (default: {default})".replace("%", "%%")
        group.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", default=None, help=text)


def read_settings(arguments: argparse.Namespace, base: S) -> S:
    """The base settings with what the user gave in the options of :func:`add_settings`.

    Raises:
        SettingsError: A value is out of range or of the wrong type.
    """
    values = base.model_dump()
    given = {
        name: _value(text, is_list=isinstance(values[name], tuple))
        for name in values
        if (text := getattr(arguments, name, None)) is not None
    }
    return make_settings(type(base), **{**values, **given})


def _value(text: str, is_list: bool) -> Any:
    """A number or truth value where the text reads as one, a list where one is due, else the text itself."""
    with suppress(ValueError):
        return json.loads(f"[{text.strip('[]()')}]" if is_list else text)
    return text
