"""Pairs of images to learn from: what is to be turned into what."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from mtann.cases import CaseFiles
from mtann.errors import CasesError, GeometryError
from mtann.preprocess.grid import check_overlap, resample, resample_mask
from mtann.preprocess.prepare import InputSpecification, PreparedCase, prepare
from mtann.progress import Run
from mtann.volume import Volume, check_intensities
from mtann.volume_io import read_volume

FloatVolume = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EnhancementCase:
    """One case to learn from.

    Attributes:
        case: What to call it in messages.
        patient: Cases of one patient never stand on both sides of a split.
        channels: The input images, in order.
        target: What the first of them is to be turned into, in the same place of the patient.
        mask: Where to learn (non-zero voxels); in all tissue if None.
    """

    case: str
    patient: str
    channels: tuple[Volume, ...]
    target: Volume
    mask: Volume | None = None

    def __post_init__(self) -> None:
        if not self.channels:
            raise CasesError(f"Case '{self.case}' has no image. Give at least one channel.")


def load_enhancement_case(files: CaseFiles, series: str | None = None) -> EnhancementCase:
    """Read everything that one row names.

    Args:
        files: The row.
        series: Which DICOM series, by number or UID, where a folder holds several.

    Raises:
        CasesError: The row names no target.
        MTANNError: A file cannot be used; the message names it.
    """
    if files.target is None:
        raise CasesError(f"Case '{files.case}' has no target image. Add its path in the column 'target'.")
    channels = tuple(check_intensities(read_volume(path, series)) for path in files.channels.values())
    target = read_volume(files.target, series)
    mask = read_volume(files.mask, series) if files.mask else None
    return EnhancementCase(files.case, files.patient, channels, target, mask)


@dataclass(frozen=True)
class Pair:
    """A case on the model's grid.

    Attributes:
        prepared: The inputs as the network sees them.
        image: The first channel (z, y, x) in its own intensities.
        target: The target image in its own intensities.
    """

    prepared: PreparedCase
    image: FloatVolume = field(repr=False)
    target: FloatVolume = field(repr=False)


def prepare_pairs(cases: Sequence[EnhancementCase], inputs: InputSpecification, run: Run) -> list[Pair]:
    """Bring all cases' images onto the model's grid; only where the target lies is there something to learn.

    Raises:
        GeometryError: A target shows none of the tissue to learn from.
        MTANNError: As :func:`mtann.preprocess.prepare.prepare`, for the target, too.
    """
    pairs = []
    for number, case in enumerate(cases):
        first = case.channels[0]
        check_overlap(check_intensities(case.target), first)
        part = run.part(number / len(cases), (number + 1) / len(cases))
        prepared = prepare(case.channels, inputs, case.mask, part, keep_fields=True)
        target = case.target
        covered = resample_mask(target.with_array(np.ones(target.array.shape, np.uint8)), prepared.grid)
        if not (prepared.mask & covered).any():
            raise GeometryError(
                f"The target '{target.name}' of case '{case.case}' shows none of the tissue of '{first.name}'. "
                "Give a target and a mask of the same place."
            )
        prepared = replace(prepared, mask=prepared.mask & covered)
        pairs.append(Pair(prepared, resample(first, prepared.grid), resample(target, prepared.grid)))
    return pairs
