"""The way back from what a model sees to an image's own intensities."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mtann.errors import GeometryError, SettingsError

FloatVolume = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scale:
    """A step that turned each value v into (v - centre) / deviation.

    Attributes:
        centre: What became 0: one value, or an array (z, y, x) on the model's grid.
        deviation: What became 1 above it, likewise.
    """

    centre: float | FloatVolume = field(repr=False)
    deviation: float | FloatVolume = field(repr=False)

    def apply(self, array: FloatVolume) -> FloatVolume:
        """Scale an array (z, y, x)."""
        centre, deviation = self._fitting(array)
        scaled: FloatVolume = (array - centre) / deviation
        return scaled

    def invert(self, array: FloatVolume) -> FloatVolume:
        """Bring a scaled array (z, y, x) back. What was clipped stays at the value it was clipped to.

        Raises:
            GeometryError: The array is not on the model's grid, where what was taken out is known.
        """
        centre, deviation = self._fitting(array)
        restored: FloatVolume = array * deviation + centre
        return restored

    def _fitting(self, array: FloatVolume) -> tuple[FloatVolume, FloatVolume]:
        """Centre and deviation as float32, each one value or of the array's shape."""
        centre, deviation = np.asarray(self.centre, np.float32), np.asarray(self.deviation, np.float32)
        for value in (centre, deviation):
            if value.shape not in ((), array.shape):
                raise GeometryError(
                    f"What was taken out of the image has shape {value.shape}, the array to restore {array.shape}. "
                    "Restore intensities on the model's grid, before interpolating to the image's."
                )
        return centre, deviation


@dataclass(frozen=True)
class NoWayBack:
    """A step that cannot be undone.

    Attributes:
        reason: Why, and what to do, for the user.
    """

    reason: str

    def invert(self, array: FloatVolume) -> FloatVolume:
        """Refuse.

        Raises:
            SettingsError: Always.
        """
        raise SettingsError(self.reason)


@dataclass(frozen=True)
class Inverse:
    """The way back of a channel: its steps and its normalisation, in the order in which they were done."""

    steps: tuple[Scale | NoWayBack, ...]

    def invert(self, array: FloatVolume) -> FloatVolume:
        """Bring an array (z, y, x) from the scale that the model sees to the image's own intensities.

        Raises:
            SettingsError: A step cannot be undone, or what is needed for that was not kept.
            GeometryError: A step's field is kept and the array is not on the model's grid.
        """
        for step in reversed(self.steps):
            array = step.invert(array)
        return array
