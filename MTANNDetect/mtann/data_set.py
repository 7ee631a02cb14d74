"""A data set for U-Nets: cases with a label map each, from ``CASES.csv`` or nnU-Net's raw folder, and its fingerprint.

In a case list, the column ``lesions`` names the label map, which lies on the first channel's grid. nnU-Net v2's raw
folder has ``dataset.json``, ``imagesTr/CASE_0000.nii.gz`` (the number is the channel's) and ``labelsTr/CASE.nii.gz``;
every case there counts as a patient of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtann.cases import read_case_list
from mtann.errors import CasesError
from mtann.planning.fingerprint import CaseFacts, Fingerprint, combine, measure_case
from mtann.planning.labels import Labels, labels_of_nnunet, read_labels, read_object
from mtann.preprocess.grid import check_overlap, resample
from mtann.progress import Run
from mtann.volume import Volume, check_intensities
from mtann.volume_io import read_volume

LABEL_COLUMN = "lesions"
GRID_TOLERANCE_MM = 1e-3
DATA_SET_FILE = "dataset.json"


@dataclass(frozen=True)
class LabelledCase:
    """A case's files.

    Attributes:
        case: Its name.
        patient: Cases of one patient never stand on both sides of a split.
        channels: Image files, in the data set's order.
        labels: Label map.
    """

    case: str
    patient: str
    channels: tuple[Path, ...]
    labels: Path


@dataclass(frozen=True)
class DataSet:
    """Cases, and what their channels and label values mean."""

    channels: tuple[str, ...]
    labels: Labels
    cases: tuple[LabelledCase, ...]


def read_data_set(path: Path | str, labels: Path | str | None = None, channels: Sequence[str] = ()) -> DataSet:
    """Read what a data set consists of; no image is read.

    Args:
        path: ``CASES.csv``, or nnU-Net's raw folder.
        labels: ``LABELS.json``; nnU-Net's folder has its own.
        channels: Which columns of the list are channels; every column with images if empty.

    Raises:
        MTANNError: Something is missing or contradicts itself; the message names it.
    """
    path = Path(path)
    if path.is_dir():
        if labels is not None or channels:
            raise CasesError(
                f"'{path.name}' is a folder of nnU-Net's, whose {DATA_SET_FILE} says what channels and labels mean. "
                "Leave --labels and --channels out."
            )
        return _read_raw_folder(path)
    if labels is None:
        raise CasesError("A case list needs --labels LABELS.json, which names the values of its label maps.")
    known = read_labels(labels)
    rows = read_case_list(path, channels, needs=[LABEL_COLUMN])
    names = tuple(rows[0].channels)
    cases = tuple(
        LabelledCase(row.case, row.patient, tuple(row.channels.values()), row.lesions)
        for row in rows
        if row.lesions is not None
    )
    return DataSet(names, known, cases)


def _read_raw_folder(folder: Path) -> DataSet:
    if not (folder / DATA_SET_FILE).is_file():
        raise CasesError(
            f"'{folder.name}' has no {DATA_SET_FILE}, so it is no raw folder of nnU-Net's. Give one, or a case list."
        )
    document = read_object(folder / DATA_SET_FILE)
    given = document.get("channel_names", document.get("modality"))
    if not isinstance(given, dict) or not given:
        raise CasesError(f"{DATA_SET_FILE} has no 'channel_names'. Map '0', '1', … to the channels' names.")
    raw = [str(given[key]) for key in sorted(given, key=int)]
    names = tuple(name if raw.count(name) == 1 else f"{name} {number}" for number, name in enumerate(raw, start=1))
    # Where a name stands twice it is numbered, but still says what the channel is.
    kinds = {name: kind for name, kind in zip(names, raw, strict=True) if kind.lower() == "ct"}
    labels = labels_of_nnunet(document)
    labels = labels.model_copy(update={"modality": kinds})
    if isinstance(document.get("dataset"), dict):
        cases = _listed_cases(folder, document["dataset"], len(names))
    else:
        cases = _found_cases(folder, str(document.get("file_ending", ".nii.gz")), len(names))
    if not cases:
        raise CasesError(f"'{folder.name}' holds no training case. Put images into imagesTr, label maps into labelsTr.")
    return DataSet(names, labels, tuple(cases))


def _found_cases(folder: Path, ending: str, channels: int) -> list[LabelledCase]:
    marks = len("_0000" + ending)
    files = sorted(file.name for file in (folder / "imagesTr").glob(f"*{ending}"))
    cases = []
    for case in sorted({name[:-marks] for name in files}):
        images = [folder / "imagesTr" / f"{case}_{number:04d}{ending}" for number in range(channels)]
        cases.append(_checked(case, images, folder / "labelsTr" / f"{case}{ending}"))
    return cases


def _listed_cases(folder: Path, listed: dict[str, Any], channels: int) -> list[LabelledCase]:
    cases = []
    for case, files in listed.items():
        images = [folder / image for image in files["images"]]
        if len(images) != channels:
            raise CasesError(
                f"Case '{case}' has {len(images)} image(s) in {DATA_SET_FILE}; there are {channels} channel(s). "
                "Give one image for each channel."
            )
        cases.append(_checked(case, images, folder / files["label"]))
    return cases


def _checked(case: str, images: Sequence[Path], labels: Path) -> LabelledCase:
    for number, image in enumerate(images):
        if not image.is_file():
            raise CasesError(
                f"Case '{case}' lacks channel {number}: there is no '{image.name}'. Add it, one file a channel; "
                "a colour picture (R, G, B in one file) has to be split into one file a colour."
            )
    if not labels.is_file():
        raise CasesError(f"Case '{case}' has no label map '{labels.name}'. Add it to labelsTr.")
    return LabelledCase(case, case, tuple(images), labels)


def measure(data_set: DataSet, run: Run | None = None) -> Fingerprint:
    """Measure every case.

    Raises:
        MTANNError: A case cannot be used; the message names it.
        CancelledError: The user asked to stop.
    """
    run, facts = run or Run(), []
    for number, case in enumerate(data_set.cases):
        run.report("measure", number / len(data_set.cases), f"Measuring case {number + 1} of {len(data_set.cases)}")
        facts.append(_measure(case, data_set.labels))
    return combine(data_set.channels, data_set.labels.labels, facts)


def _measure(case: LabelledCase, labels: Labels) -> CaseFacts:
    volumes = [check_intensities(read_volume(path)) for path in case.channels]
    first = volumes[0]
    found = read_volume(case.labels)
    if not found.geometry.matches(first.geometry, GRID_TOLERANCE_MM):
        raise CasesError(
            f"The label map of case '{case.case}' does not lie on the grid of its first image: sizes (z, y, x) "
            f"{found.geometry.shape_zyx} and {first.geometry.shape_zyx}, spacings {found.geometry.spacing_zyx_mm} and "
            f"{first.geometry.spacing_zyx_mm} mm, origins {found.geometry.origin_lps_mm} and "
            f"{first.geometry.origin_lps_mm}. Resample it onto the image first."
        )
    values = np.unique(found.array)
    unknown = sorted(float(value) for value in values if value not in labels.declared)
    if unknown:
        raise CasesError(
            f"The label map of case '{case.case}' holds values that are not declared: "
            f"{', '.join(f'{value:g}' for value in unknown)}. Declared are "
            f"{', '.join(map(str, labels.declared))}. Correct the label map, or name them in the labels' file."
        )
    channels = [_on_grid(volume, first) for volume in volumes]
    return measure_case(case.case, channels, found.array, first.geometry.spacing_zyx_mm)


def _on_grid(volume: Volume, first: Volume) -> npt.NDArray[np.generic]:
    """A channel on the first one's grid."""
    if volume.geometry.matches(first.geometry, GRID_TOLERANCE_MM):
        return volume.array
    check_overlap(volume, first)
    return resample(volume, first.geometry)
