"""What a network's answers mean, in intensities."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mtann.enhancement.pairs import Pair
from mtann.models.enhancement_card import OutputScale
from mtann.preprocess.prepare import PreparedCase
from mtann.settings import EnhancementSettings

FloatVolume = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Meaning:
    """What a network's answers mean for one case: the image is ``start + unit * answer`` in the mask.

    For an enhanced image this is the change to make to the input.

    Attributes:
        start: What an answer of 0 means (z, y, x).
        unit: What 1 more means, at every voxel or everywhere.
        mask: Where the network is asked.
        outside: The image's value elsewhere.
    """

    start: FloatVolume = field(repr=False)
    unit: FloatVolume = field(repr=False)
    mask: npt.NDArray[np.bool_] = field(repr=False)
    outside: float

    def image(self, answer: FloatVolume) -> FloatVolume:
        """The image (z, y, x) of a network's answers."""
        return np.where(self.mask, self.start + self.unit * answer, np.float32(self.outside))

    def answer(self, image: FloatVolume) -> FloatVolume:
        """What a network is to answer (z, y, x) for an image.

        That is 0 outside the mask, so that what lies there does not reach into the mask through coarse levels.
        """
        return np.where(self.mask, (image - self.start) / self.unit, np.float32(0))


def meaning(prepared: PreparedCase, settings: EnhancementSettings, scale: OutputScale) -> Meaning:
    """What the answers for a case mean.

    Changes and components are counted in units of the first channel's normalisation, without its zero point, so that a
    brighter or an offset image gives the same answers. A translated image is told from the line that comes closest to
    it: of that, the network need not know anything.

    Raises:
        SettingsError: A step of the first channel's preprocessing cannot be undone.
    """
    nothing = np.zeros(prepared.mask.shape, dtype=np.float32)
    if settings.target == "translated":
        line = np.float32(scale.slope) * prepared.channels[0] + np.float32(scale.centre)
        return Meaning(line, np.asarray(scale.deviation, np.float32), prepared.mask, scale.outside)
    way_back = prepared.inverses[0]
    return Meaning(nothing, way_back.invert(nothing + 1) - way_back.invert(nothing), prepared.mask, 0.0)


def teacher(pair: Pair, settings: EnhancementSettings, scale: OutputScale) -> FloatVolume:
    """What a network is to answer at every voxel (z, y, x).

    An enhanced image is taught as the change from the input: what the network does not know then stays as it is.
    """
    wanted = pair.target - pair.image if settings.target == "enhanced" else pair.target
    return meaning(pair.prepared, settings, scale).answer(wanted)


def output_scale(pairs: Sequence[Pair], settings: EnhancementSettings) -> OutputScale:
    """The target's units, measured on all pairs; those of the input need no measuring."""
    if settings.target != "translated":
        return OutputScale()
    first = np.concatenate([pair.prepared.channels[0][pair.prepared.mask] for pair in pairs], dtype=np.float64)
    inside = np.concatenate([pair.target[pair.prepared.mask] for pair in pairs], dtype=np.float64)
    outside = np.concatenate([pair.target[~pair.prepared.mask] for pair in pairs])
    slope, centre = np.polyfit(first, inside, 1)
    return OutputScale(
        centre=float(centre),
        slope=float(slope),
        deviation=float(np.std(inside - slope * first - centre)) or 1.0,
        outside=float(np.median(outside)) if len(outside) else 0.0,
    )
