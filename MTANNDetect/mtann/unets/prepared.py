"""Preprocessing the cases of a training once: the same images, labels and plan are found again by their hash."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from mtann.data_set import LabelledCase
from mtann.errors import CasesError
from mtann.planning.plan import Configuration, Plan
from mtann.preprocess.unet import CroppedCase, crop_case, labels_on_grid, unet_case
from mtann.progress import Run
from mtann.training.unet.labels import LabelTable
from mtann.training.unet.store import StoredCase, is_stored, store_case
from mtann.volume import Volume
from mtann.volume_io import hash_file, read_volume

_VERSION = 1
"""Of preprocessing and of what is stored: a higher one makes every case anew."""


def prepare_cases(
    cases: Sequence[LabelledCase],
    plan: Plan,
    configuration: Configuration,
    store: Path,
    previous: Mapping[str, Path] | None = None,
    run: Run | None = None,
) -> list[StoredCase]:
    """Bring cases onto a configuration's grid, unless they are there already.

    Args:
        cases: Which.
        plan: What is done to them.
        configuration: The grid and the normalisation.
        store: Folder for the preprocessed cases.
        previous: Of a cascade, the label map that the previous stage found in each case.
        run: Progress and cancellation.

    Raises:
        MTANNError: An image or a label map cannot be used; the message names it.
        CancelledError: The user asked to stop; complete cases are kept.
    """
    run, stored = run or Run(), []
    for number, case in enumerate(cases):
        run.report("preprocess", number / len(cases), f"Preprocessing case {number + 1} of {len(cases)}")
        before = previous[case.case] if previous is not None else None
        directory = store / case_key(case, plan, configuration, before)
        if not is_stored(directory):
            _prepare(case, plan, configuration, directory, before)
        stored.append(StoredCase(case.case, directory))
    return stored


def case_key(case: LabelledCase, plan: Plan, configuration: Configuration, previous: Path | None = None) -> str:
    """What a preprocessed case is called: the hash of everything that it depends on."""
    parts = {
        "version": _VERSION,
        "images": [hash_image(path) for path in case.channels],
        "labels": hash_image(case.labels),
        "previous": hash_file(previous) if previous else None,
        "plan": plan.model_dump(mode="json", include={"labels", "ignore_label", "transpose_forward", "intensities"}),
        "configuration": configuration.model_dump(
            mode="json", include={"spacing", "normalisation", "normalise_in_mask"}
        ),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def hash_image(path: Path) -> str:
    """The hash of an image's file, or of the files of a DICOM series."""
    if path.is_dir():
        return read_volume(path).sha256
    facts = path.stat()
    return _hash_of(path, facts.st_mtime_ns, facts.st_size)


@cache
def _hash_of(path: Path, changed: int, size: int) -> str:
    """The hash of a file as it was at a time: every fold asks for it anew."""
    return hash_file(path)


def read_case(case: LabelledCase) -> tuple[tuple[Volume, ...], Volume]:
    """A case's images and its label map.

    Raises:
        CasesError: The label map has another grid than the first image.
        ImageError: A file cannot be read.
    """
    volumes = tuple(read_volume(path) for path in case.channels)
    labels = read_volume(case.labels)
    if not labels.geometry.matches(volumes[0].geometry, tolerance_mm=1e-3):
        raise CasesError(
            f"The label map of case '{case.case}' does not lie on the grid of its first image: sizes (z, y, x) "
            f"{labels.geometry.shape_zyx} and {volumes[0].geometry.shape_zyx}. Resample it onto the image first."
        )
    return volumes, labels


def _prepare(
    case: LabelledCase, plan: Plan, configuration: Configuration, directory: Path, previous: Path | None
) -> None:
    volumes, labels = read_case(case)
    table = LabelTable.of(plan)
    table.index(labels.array, case.case)  # unknown values are told of before the long work
    cropped = crop_case(volumes, plan)
    image = unet_case(cropped, configuration).data
    on_grid = table.index(labels_on_grid(cropped, labels.array, configuration), case.case)
    before = None if previous is None else _found_before(cropped, previous, configuration, table, case.case)
    store_case(directory, case.case, image, on_grid, table, before)


def _found_before(
    cropped: CroppedCase, previous: Path, configuration: Configuration, table: LabelTable, name: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return table.index(labels_on_grid(cropped, read_volume(previous).array, configuration), name)
