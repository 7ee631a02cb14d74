"""``mtann enhance``: turn an image into another with a taught model."""

import argparse
import os
import secrets
from pathlib import Path

from mtann.commands.console import Console
from mtann.commands.inputs import add_images, read_channels
from mtann.commands.options import add_common, add_device
from mtann.enhancement.enhance import compare, enhance
from mtann.errors import OutputError
from mtann.models.catalogue import open_bundle
from mtann.models.enhancement_card import EnhancementCard
from mtann.volume import Volume
from mtann.volume_io import read_volume, write_volume

_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    add_images(parser)
    parser.add_argument("--model", required=True, help="folder of a model bundle, or the name of a bundled model")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FILE", help="image to write; it must not be there yet"
    )
    parser.add_argument(
        "--subtract",
        action="store_true",
        help="write the first channel less the predicted image, such as a radiograph without bone",
    )
    parser.add_argument(
        "--mask", type=Path, metavar="IMAGE", help="where to work: non-zero voxels; the rest stays as it is"
    )
    parser.add_argument(
        "--metrics",
        type=Path,
        metavar="TARGET",
        help="what the output should be: prints how like it is, beside the first channel as it was",
    )
    add_device(parser)
    add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    output: Path = arguments.output
    _check_file(output)
    bundle = open_bundle(arguments.model, EnhancementCard)
    volumes = read_channels(arguments, bundle.card, console)
    mask, target = (
        read_volume(file, arguments.series) if file else None for file in (arguments.mask, arguments.metrics)
    )
    warnings: list[str] = []
    image = enhance(
        volumes,
        bundle,
        mask=mask,
        subtract=arguments.subtract,
        device=arguments.device,
        warn=warnings.append,
        progress=console.progress,
    )
    for warning in warnings:
        console.warn(warning)
    first = volumes[bundle.card.channel_names[0]]
    quality = {}
    if target is not None:
        quality = {"output": compare(image, target, mask), "input": compare(first, target, mask)}
    _write(image, output)
    for what, found in quality.items():
        console.say(f"{what:>6}: PSNR {found.psnr_db:.2f} dB, SSIM {found.ssim:.4f}")
    console.say(f"Written to {output}. Research software; review every result.")
    console.finish(
        {
            "output": str(output),
            "model": {"name": bundle.card.name, "version": bundle.card.version, "sha256": bundle.sha256},
            "inputs": {name: volume.sha256 for name, volume in volumes.items()},
            "subtracted": arguments.subtract,
            "quality": {what: found.model_dump() for what, found in quality.items()},
            "warnings": warnings,
        }
    )
    return 0


def _check_file(path: Path) -> None:
    """Make sure, before any computing, that a file may be written.

    Raises:
        OutputError: It is there already, its folder is not, or its name tells no format.
    """
    if not path.name.lower().endswith(_SUFFIXES):
        raise OutputError(f"The image '{path.name}' has no known ending. Give it one of: {', '.join(_SUFFIXES)}.")
    if os.path.lexists(path):
        raise OutputError(f"'{path}' is there already and is not overwritten. Remove it, or choose another name.")
    if not path.parent.is_dir():
        raise OutputError(f"There is no folder '{path.parent}' to write '{path.name}' to. Make it, or choose another.")


def _write(image: Volume, path: Path) -> None:
    """Write a file so that it appears whole or not at all."""
    work = path.with_name(f".partial-{secrets.token_hex(4)}-{path.name}")
    try:
        write_volume(image, work)
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)
