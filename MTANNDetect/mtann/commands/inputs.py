"""The images of one case, as they are named on the command line."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mtann.commands.console import Console
from mtann.errors import SettingsError
from mtann.models.card import Card
from mtann.progress import Progress
from mtann.volume import Volume
from mtann.volume_io import read_volume


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add images by order, ``--channel`` and ``--series``."""
    parser.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="the channels of one case, in the model's order: files, or folders with a DICOM series",
    )
    parser.add_argument(
        "--channel", action="append", default=[], metavar="NAME=IMAGE", help="a channel by name, instead of by order"
    )
    parser.add_argument("--series", help="which DICOM series, by number or UID, where a folder holds several")


def named_files(images: Sequence[str], by_name: Sequence[str], card: Card) -> dict[str, Path]:
    """The image file of each channel of a model.

    Args:
        images: Files in the model's order.
        by_name: Texts of the form NAME=IMAGE instead.
        card: What the model expects.

    Raises:
        SettingsError: Both were given, a text cannot be read, or the number of images is wrong.
    """
    names = card.channel_names
    if images and by_name:
        raise SettingsError("Give the images either in the model's order or all as --channel NAME=IMAGE, not both.")
    if by_name:
        pairs = [text.partition("=") for text in by_name]
        if any(not name or not separator or not file for name, separator, file in pairs) or len(
            {name for name, _, _ in pairs}
        ) < len(pairs):
            raise SettingsError(f"--channel takes NAME=IMAGE, each name once; found {', '.join(by_name)}.")
        return {name: Path(file) for name, _, file in pairs}
    if len(images) != len(names):
        raise SettingsError(
            f"Model '{card.name}' needs {len(names)} channel(s) ({', '.join(names)}) "
            f"but {len(images)} image(s) were given. Give one image for each, in this order."
        )
    return dict(zip(names, map(Path, images), strict=True))


def read_channels(arguments: argparse.Namespace, card: Card, console: Console) -> dict[str, Volume]:
    """Read the images that :func:`add_images` lets a user name, by channel.

    Raises:
        MTANNError: An image is missing, one too many, or cannot be read.
    """
    files = named_files(arguments.images, arguments.channel, card)
    console.progress(Progress("read", 0.0, "Reading images"))
    return {name: read_volume(file, arguments.series) for name, file in files.items()}
