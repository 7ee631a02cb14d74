"""The temperature that a U-Net's logits are divided by: fitted on voxels of cases that the network had not seen."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from mtann.data_set import LabelledCase
from mtann.detection.calibration import (
    LEAST_TEMPERATURE,
    MOST_TEMPERATURE,
    TemperatureCalibration,
    fit_temperature,
)
from mtann.errors import OutputError
from mtann.evaluation.reliability import Reliability
from mtann.inference.labels import Block, output_values
from mtann.planning.plan import Plan

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

MOST_VOXELS = 50_000
"""Drawn of a case, evenly: the rest would tell little more."""
_LEAST_FOREGROUND = 50
_AT_THE_END = 1.01


@dataclass
class Sample:
    """Logits at voxels of a case that are drawn by its name alone, so that they are the same for every network.

    Attributes:
        places: (n, 3), in the cropped case.
        logits: (n, output), filled block by block.
    """

    places: IntArray
    logits: FloatArray = field(repr=False)

    @classmethod
    def of(cls, case: str, size: Sequence[int], outputs: int) -> "Sample":
        """Draw the voxels of a case."""
        seed = int.from_bytes(hashlib.sha256(case.encode()).digest()[:8], "little")
        count = int(np.prod(size))
        drawn = np.random.default_rng(seed).choice(count, min(count, MOST_VOXELS), replace=False)
        places = np.stack(np.unravel_index(np.sort(drawn), tuple(size)), axis=1).astype(np.int64)
        return cls(places, np.zeros((len(places), outputs), dtype=np.float32))

    def take(self, block: Block) -> None:
        """Take what a block of logits says of the drawn voxels in it."""
        starts = np.array([part.start for part in block.box])
        stops = np.array([part.stop for part in block.box])
        inside = np.all((self.places >= starts) & (self.places < stops), axis=1)
        z, y, x = (self.places[inside] - starts).T
        self.logits[inside] = block.values[:, z, y, x].T


def sample_file(directory: Path, case: LabelledCase) -> Path:
    """Where the drawn logits of a case are."""
    return directory / f"{case.case}.logits.npz"


def keep_sample(sample: Sample, labels: npt.NDArray[np.generic], path: Path) -> None:
    """Write drawn logits and their reference values, whole or not at all.

    Args:
        sample: The logits.
        labels: The reference, cropped.
        path: The file.

    Raises:
        OutputError: The disk is full or cannot be written.
    """
    work = path.with_name(f".{path.name}.partial")
    z, y, x = sample.places.T
    try:
        with work.open("wb") as file:
            np.savez_compressed(file, logits=sample.logits, values=np.asarray(labels)[z, y, x].astype(np.int64))
        work.replace(path)
    except OSError as error:
        raise OutputError(
            f"The logits '{path}' cannot be written ({error.strerror or error}). Free space, and run again."
        ) from error
    finally:
        work.unlink(missing_ok=True)


def read_sample(path: Path) -> tuple[FloatArray, IntArray]:
    """Drawn logits (n, output), and the reference's values there."""
    with np.load(path, allow_pickle=False) as kept:
        return kept["logits"], kept["values"]


def calibrate(
    plan: Plan, samples: Sequence[tuple[FloatArray, IntArray]], chosen_on: str
) -> tuple[TemperatureCalibration | None, str]:
    """The temperature, or None where none helps; and why, in words.

    Args:
        plan: What the logits are of.
        samples: Of each case, logits (network, n, output) of networks whose probabilities are averaged, and the
            reference's values (n).
        chosen_on: Which data that is.
    """
    known = [(logits, values) for logits, values in (_annotated(plan, one) for one in samples) if len(values)]
    values = np.concatenate([one for _, one in known]) if known else np.empty(0, np.int64)
    if np.count_nonzero(values) < _LEAST_FOREGROUND:
        count = np.count_nonzero(values)
        return None, f"No temperature: only {count} drawn voxels are of a label; {_LEAST_FOREGROUND} are needed"
    logits, right = _as_classes(np.concatenate([one for one, _ in known], axis=1), values, plan)
    if np.array_equal(softmax(logits, axis=-1).mean(axis=0).argmax(axis=-1), right):
        return None, "No temperature: no drawn voxel is wrong, so that nothing tells how sure the networks may be"
    found = fit_temperature(logits, right, len(known), chosen_on)
    if not LEAST_TEMPERATURE * _AT_THE_END < found.temperature < MOST_TEMPERATURE / _AT_THE_END:
        return None, "No temperature: the best one would lie beyond 0.05 to 20, so that the probabilities mean nothing"
    before, after = (expected_error(logits, right, temperature) for temperature in (1.0, found.temperature))
    if after > before:
        return None, f"No temperature: it would raise the expected calibration error from {before:.4f} to {after:.4f}"
    words = f"Temperature {found.temperature:.2f}: expected calibration error {before:.4f} before, {after:.4f} with it"
    return found, words


def expected_error(logits: FloatArray, right: IntArray, temperature: float) -> float:
    """Expected calibration error of the probabilities of labels, background left out.

    Args:
        logits: (network, n, class).
        right: The right class of each.
        temperature: What the logits are divided by.
    """
    chances = softmax(logits / temperature, axis=-1).mean(axis=0)[:, 1:]
    hits = right[:, None] == np.arange(1, logits.shape[-1])
    measured = Reliability(np.zeros(chances.size), chances.ravel(), hits.ravel())
    return float(measured.expected_error(np.ones((1, 1)))[0])


def _annotated(plan: Plan, sample: tuple[FloatArray, IntArray]) -> tuple[FloatArray, IntArray]:
    """What is drawn where the reference says anything."""
    logits, values = sample
    known = np.ones(len(values), dtype=bool) if plan.ignore_label is None else values != plan.ignore_label
    return logits[:, known], values[known]


def _as_classes(logits: FloatArray, values: IntArray, plan: Plan) -> tuple[FloatArray, IntArray]:
    """Logits of classes, and the right one of each. A region is a class beside "not this region", by itself."""
    if not plan.has_regions:
        table = {value: number for number, value in enumerate(output_values(plan))}
        return logits, np.array([table[value] for value in np.unique(values).tolist()])[_place_in(values)]
    pairs = [np.stack([np.zeros_like(logits[..., n]), logits[..., n]], axis=-1) for n in range(logits.shape[-1])]
    right = [np.isin(values, own).astype(np.int64) for own in plan.labels.values()]
    return np.concatenate(pairs, axis=1), np.concatenate(right)


def _place_in(values: IntArray) -> IntArray:
    return np.unique(values, return_inverse=True)[1].ravel()
