"""``mtann synthesize``: insert synthetic lesions into scans, to train on."""

import argparse
import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtann.cases import CaseFiles, TrainingCase, load_training_case, read_case_list
from mtann.commands.console import Console
from mtann.commands.options import add_common, add_settings, read_settings
from mtann.errors import OutputError, SettingsError
from mtann.output_folder import check_output, recover_folder
from mtann.progress import Run
from mtann.report.synthesis import SYNTHESIS_FOLDER, image_file, save_synthetic_case
from mtann.synthetic.cases import copy_name, synthesize_copy
from mtann.synthetic.insert import SyntheticCase
from mtann.synthetic.presets import RECIPES, recipe_named
from mtann.synthetic.recipe import LesionRecipe

_LIST = "cases.csv"
_MARK = "synthetic"
"""Column by which a list of ours is told from the user's own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument(
        "images", nargs="*", metavar="IMAGE", help="the channels of one scan: files, or folders with a DICOM series"
    )
    parser.add_argument(
        "--cases",
        type=Path,
        metavar="CSV",
        help="a list of scans: case, patient, one column a channel[, mask, lesions]",
    )
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder for the synthetic cases, one folder each, and their list cases.csv",
    )
    parser.add_argument(
        "--recipe", default="generic", metavar="NAME", help=f"what lesions are like: {', '.join(RECIPES)}"
    )
    parser.add_argument(
        "--copies", type=int, default=1, metavar="M", help="synthetic cases made of each scan (default: 1)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of every random choice (default: 0)")
    parser.add_argument(
        "--channels", default="", metavar="A,B,...", help="the channels' names; with --cases, its columns"
    )
    parser.add_argument("--mask", type=Path, metavar="IMAGE", help="where tissue is: non-zero voxels")
    parser.add_argument("--lesions", type=Path, metavar="FILE", help="the scan's real lesions: label map or points")
    parser.add_argument(
        "--avoid-only", action="store_true", help="real lesions are kept clear of, but are not lesions of the new cases"
    )
    parser.add_argument("--series", help="which DICOM series, by number or UID, where a folder holds several")
    add_common(parser)
    add_settings(
        parser,
        LesionRecipe,
        "the recipe: LEAST,MOST for a range (below 0 as in --core-contrast=-3,0); defaults are those of generic",
        leave_out=("channel_looks",),
    )


@dataclass(frozen=True)
class _Order:
    """What to make of every scan."""

    name: str
    recipe: LesionRecipe
    channels: tuple[str, ...]
    seed: int
    copies: int
    output: Path
    avoid_only: bool


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    if bool(arguments.cases) == bool(arguments.images):
        raise SettingsError("Give either images or --cases CSV, one of the two.")
    if arguments.cases and (arguments.mask or arguments.lesions):
        raise SettingsError("With --cases, the list names masks and lesions: leave out --mask and --lesions.")
    for option, value, least in (("--copies", arguments.copies, 1), ("--seed", arguments.seed, 0)):
        if value < least:
            raise SettingsError(f"{option} takes a whole number from {least}; found {value}.")
    recipe = read_settings(arguments, recipe_named(arguments.recipe))
    files = _files(arguments)
    order = _Order(
        arguments.recipe,
        recipe,
        tuple(files[0].channels),
        arguments.seed,
        arguments.copies,
        arguments.output,
        arguments.avoid_only,
    )
    _check_list(order.output)
    for case in files:
        for copy in range(1, order.copies + 1):
            folder = order.output / copy_name(case.case, copy)
            recover_folder(folder, SYNTHESIS_FOLDER)
            check_output(folder, SYNTHESIS_FOLDER)
    progress = Run(console.progress)
    rows = []
    for number, one in enumerate(files):
        part = progress.part(number / len(files), (number + 1) / len(files))
        rows += _make(order, one, load_training_case(one, series=arguments.series), part)
    _write_list(order, rows)
    count = sum(row["inserted"] for row in rows)
    console.say(f"Inserted {count} lesions into {len(rows)} synthetic cases made of {len(files)} scans.")
    console.say(f"Written to {order.output}: look at preview.png in each folder; teach with")
    console.say(f"  mtann train mtann --cases {order.output / _LIST} --instances --output my-model")
    console.finish({"output": str(order.output), "list": str(order.output / _LIST), "cases": rows})
    return 0


def _files(arguments: argparse.Namespace) -> tuple[CaseFiles, ...]:
    names = [name.strip() for name in arguments.channels.split(",") if name.strip()]
    if arguments.cases:
        return read_case_list(arguments.cases, names)
    names = names or [f"channel{number}" for number in range(1, len(arguments.images) + 1)]
    if len(names) != len(arguments.images) or len(set(names)) < len(names):
        raise SettingsError(
            f"--channels takes one name an image, each once; found {len(arguments.images)} image(s) and "
            f"the name(s) {', '.join(names)}."
        )
    images = dict(zip(names, map(Path, arguments.images), strict=True))
    return (CaseFiles("scan", "scan", images, arguments.mask, arguments.lesions),)


def _make(order: _Order, files: CaseFiles, case: TrainingCase, run: Run) -> list[dict[str, Any]]:
    """Make and write all copies of one scan; returns their rows of the list."""
    rows = []
    for copy in range(1, order.copies + 1):
        run.report("synthesize", (copy - 1) / order.copies, f"Inserting lesions into {files.case}")
        made = synthesize_copy(case, order.recipe, order.seed, copy, order.channels)
        name = copy_name(files.case, copy)
        save_synthetic_case(
            made,
            order.output / name,
            channels=order.channels,
            origin=_origin(order, case, copy),
            mask=case.mask,
            real=() if order.avoid_only else case.lesions,
        )
        rows.append(_row(order, name, files, case, made))
    return rows


def _origin(order: _Order, case: TrainingCase, copy: int) -> dict[str, Any]:
    return {
        "recipe_name": order.name,
        "recipe": order.recipe.model_dump(mode="json"),
        "seed": order.seed,
        "copy": copy,
        "case": case.case,
        "sources": [
            {"channel": name, "name": volume.name, "sha256": volume.sha256}
            for name, volume in zip(order.channels, case.channels, strict=True)
        ],
    }


def _row(order: _Order, name: str, files: CaseFiles, case: TrainingCase, made: SyntheticCase) -> dict[str, Any]:
    images = {
        channel: f"{name}/{image_file(number, channel)}" for number, channel in enumerate(order.channels, start=1)
    }
    mask = {"mask": f"{name}/mask.nii.gz"} if case.mask is not None else {}
    return {
        "case": name,
        "patient": files.patient,
        **images,
        **mask,
        "lesions": f"{name}/lesions.nii.gz",
        **files.subgroups,
        _MARK: f"{order.name}, seed {order.seed}",
        "inserted": len(made.lesions),
    }


def _check_list(output: Path) -> None:
    """Make sure that no list of the user's own is overwritten.

    Raises:
        OutputError: There is one, or what stands in its place is no file.
    """
    place = output / _LIST
    try:
        ours = not place.exists() or _MARK in place.read_text(encoding="utf-8").split("\n", 1)[0].split(",")
    except (OSError, UnicodeDecodeError):
        ours = False
    if not ours:
        raise OutputError(
            f"'{place}' is not a list that 'mtann synthesize' wrote, so it is not overwritten. "
            "Choose another output folder."
        )


def _write_list(order: _Order, rows: list[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row if name != "inserted"))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    place, work = order.output / _LIST, order.output / f".{_LIST}.partial"
    try:
        work.write_text(text.getvalue(), encoding="utf-8", newline="")
        work.replace(place)
    except OSError as error:
        work.unlink(missing_ok=True)
        raise OutputError(
            f"'{place}' cannot be written ({error.strerror or error}). Free space or permissions."
        ) from error
