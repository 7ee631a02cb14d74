"""Pairs of images to learn from: what is to be turned into what."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mtann.cases import CaseFiles
from mtann.errors import CasesError
from mtann.models.enhancement_card import OutputScale
from mtann.preprocess.grid import check_overlap, resample
from mtann.preprocess.prepare import InputSpecification, PreparedCase, prepare
from mtann.progress import Run
from mtann.settings import EnhancementSettings
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
    """Bring all cases' images onto the model's grid.

    Raises:
        MTANNError: As :func:`mtann.preprocess.prepare.prepare`; the target must be an image of the same place, too.
    """
    pairs = []
    for number, case in enumerate(cases):
        first = case.channels[0]
        check_overlap(check_intensities(case.target), first)
        part = run.part(number / len(cases), (number + 1) / len(cases))
        prepared = prepare(case.channels, inputs, case.mask, part, keep_fields=True)
        pairs.append(Pair(prepared, resample(first, prepared.grid), resample(case.target, prepared.grid)))
    return pairs


def output_scale(pairs: Sequence[Pair], settings: EnhancementSettings) -> OutputScale:
    """The target's units, measured on all pairs; those of the input need no measuring."""
    if settings.target != "translated":
        return OutputScale()
    inside = np.concatenate([pair.target[pair.prepared.mask] for pair in pairs])
    outside = np.concatenate([pair.target[~pair.prepared.mask] for pair in pairs])
    return OutputScale(
        centre=float(inside.mean(dtype=np.float64)),
        deviation=float(inside.std(dtype=np.float64)) or 1.0,
        outside=float(np.median(outside)) if len(outside) else 0.0,
    )


def teacher(pair: Pair, settings: EnhancementSettings, scale: OutputScale) -> FloatVolume:
    """What a network is to answer at every voxel (z, y, x).

    An image in the input's units is taught as the change from the input, so that whatever the network does not know
    stays as it is; a change and a component alike count in units of the input's normalisation, which have no zero
    point, so that a brighter or an offset image gives the same answer.
    """
    if settings.target == "translated":
        return (pair.target - np.float32(scale.centre)) / np.float32(scale.deviation)
    wanted = pair.target - pair.image if settings.target == "enhanced" else pair.target
    return wanted / input_unit(pair.prepared)


def answer_in_units(
    answer: FloatVolume, prepared: PreparedCase, settings: EnhancementSettings, scale: OutputScale
) -> FloatVolume:
    """A network's answer (z, y, x) in intensities: the image, the component, or the change to make to the input.

    There is neither change nor component outside the mask.
    """
    if settings.target == "translated":
        inside = scale.centre + np.float32(scale.deviation) * answer
        return np.where(prepared.mask, inside, np.float32(scale.outside)).astype(np.float32)
    return np.where(prepared.mask, answer * input_unit(prepared), np.float32(0))


def input_unit(prepared: PreparedCase) -> FloatVolume:
    """How much of the first channel's own intensity makes 1 of what the network sees, at every voxel (z, y, x).

    Raises:
        SettingsError: A step of the channel's preprocessing cannot be undone.
    """
    nothing = np.zeros(prepared.mask.shape, dtype=np.float32)
    way_back = prepared.inverses[0]
    return way_back.invert(nothing + 1) - way_back.invert(nothing)
