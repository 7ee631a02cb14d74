"""What networks that are trained together draw their batches from."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mtann.errors import CasesError
from mtann.sampling.subvolumes import IMAGE, IN_LESION, NEGATIVE, Samples

Rows = npt.NDArray[np.int64]

_LESION_SHARE = 0.5
"""Share of a batch from lesions' training regions; the rest is divided evenly among the kinds of non-lesion."""
_ROWS_AT_ONCE = 4096


class SampleStore:
    """The samples of all cases, each kept once however many networks learn from it.

    Attributes:
        inputs: float16 (n, channels, levels, offsets).
        targets: float32 (n,).
    """

    def __init__(self, lessons: Sequence[Sequence[Samples]]) -> None:
        unique = list({id(samples): samples for lesson in lessons for samples in lesson}.values())
        self.inputs = np.concatenate([samples.inputs for samples in unique])
        self.targets = np.concatenate([samples.targets for samples in unique])
        starts = np.cumsum([0, *(len(samples.targets) for samples in unique)])
        self._starts = {id(samples): int(start) for samples, start in zip(unique, starts, strict=False)}
        self._moments = {id(samples): _moments(samples) for samples in unique}

    def lesson(self, samples: Sequence[Samples], lesion_share: float | None = None) -> "Lesson | ImageLesson":
        """What one network learns from.

        Args:
            samples: Its samples.
            lesion_share: See :class:`mtann.settings.TrainingSettings`.

        Raises:
            CasesError: There is no lesion or no non-lesion sample, though the teacher is no image.
        """
        starts = [self._starts[id(one)] for one in samples]
        if samples and all((one.groups == IMAGE).all() for one in samples):
            return ImageLesson(samples, starts)
        return Lesson(samples, starts, lesion_share)

    def standardisation(self, samples: Sequence[Samples]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Mean and deviation, each (channels, levels), of one network's samples."""
        count, total, squares = (sum(parts) for parts in zip(*(self._moments[id(one)] for one in samples), strict=True))
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
        return mean.astype(np.float32), np.maximum(deviation, 1e-6).astype(np.float32)


class Lesson:
    """Rows of the store for one network, drawn so that every lesion counts the same, and so does every non-lesion."""

    def __init__(self, samples: Sequence[Samples], starts: Sequence[int], lesion_share: float | None = None) -> None:
        within: list[Rows] = []
        around: list[Rows] = []
        known: list[Rows] = []
        others: list[Rows] = []
        for one, start in zip(samples, starts, strict=True):
            for group in np.unique(one.groups):
                rows = np.flatnonzero(one.groups == group)
                kind = others if group == NEGATIVE else known if group < NEGATIVE else around
                if kind is around and lesion_share is not None:
                    inside = one.targets[rows] >= IN_LESION
                    within += [start + rows[inside]] if inside.any() else []
                    rows = rows[~inside]
                if len(rows):
                    kind.append(start + rows)
        if not (within or around):
            raise CasesError(
                "The training cases hold no lesion at all. Mark at least one, or check the column 'lesions'."
            )
        if not (known or others):
            raise CasesError(
                "The training cases hold no tissue away from lesions to learn from. "
                "Give larger images, or a mask that covers normal tissue."
            )
        # Voxels drawn from anywhere are one kind of non-lesion; each region round a known one counts by itself.
        elsewhere = [known, [np.concatenate(others)] if others else []]
        self._lesions = [_Kind(regions) for regions in (within, around) if regions]
        self._others = [_Kind(regions) for regions in elsewhere if regions]
        self._share = lesion_share

    def draw(self, steps: int, batch: int, random: np.random.Generator) -> Rows:
        """Rows (steps, batch) of so many batches."""
        from_lesions = int(batch * _LESION_SHARE)
        counts = [from_lesions]
        if self._share is not None and len(self._lesions) > 1:
            # However small the share, something is drawn from within, and something from round about.
            within = min(max(1, round(from_lesions * self._share)), max(1, from_lesions - 1))
            counts = [within, from_lesions - within]
        counts += map(len, np.array_split(np.arange(batch - from_lesions), len(self._others)))
        kinds = [*self._lesions, *self._others]
        return np.concatenate(
            [kind.draw((steps, count), random) for kind, count in zip(kinds, counts, strict=True)], axis=1
        )


class ImageLesson:
    """Rows of the store for one network whose teacher is an image, drawn so that every case counts the same."""

    def __init__(self, samples: Sequence[Samples], starts: Sequence[int]) -> None:
        self._cases = _Kind([start + np.arange(len(one.targets)) for one, start in zip(samples, starts, strict=True)])

    def draw(self, steps: int, batch: int, random: np.random.Generator) -> Rows:
        """Rows (steps, batch) of so many batches."""
        return self._cases.draw((steps, batch), random)


class _Kind:
    """Regions of which each is drawn equally often."""

    def __init__(self, regions: Sequence[Rows]) -> None:
        self._rows = np.concatenate(regions)
        self._sizes = np.array([len(region) for region in regions])
        self._starts = np.cumsum(self._sizes) - self._sizes

    def draw(self, shape: tuple[int, int], random: np.random.Generator) -> Rows:
        region = random.integers(len(self._sizes), size=shape)
        within = (random.random(shape) * self._sizes[region]).astype(np.int64)
        rows: Rows = self._rows[self._starts[region] + within]
        return rows


def _moments(samples: Samples) -> tuple[int, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Number, sum and sum of squares (channels, levels) of a case's inputs."""
    total, squares = np.zeros((2, *samples.inputs.shape[1:3]))
    # Part by part: sums are taken in more than half precision, which a whole case would take much memory for.
    for start in range(0, len(samples.inputs), _ROWS_AT_ONCE):
        inputs = samples.inputs[start : start + _ROWS_AT_ONCE].astype(np.float32)
        total += inputs.sum(axis=(0, 3), dtype=np.float64)
        squares += np.einsum("nclo,nclo->cl", inputs, inputs, dtype=np.float64)
    return samples.inputs.shape[0] * samples.inputs.shape[3], total, squares
