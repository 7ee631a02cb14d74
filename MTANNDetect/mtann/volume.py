"""An image: voxel values and where they are."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from mtann.errors import GeometryError, ImageError
from mtann.geometry import Geometry

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Volume:
    """A three-dimensional image, never changed after it is made.

    Attributes:
        array: Voxel values, axes z, y, x. The view held here is read-only.
        geometry: The grid's place in the patient.
        name: What to call it in messages and results: a file name or a node name, never a path.
        sha256: Hash of the file (or of a DICOM series' files in slice order) that it came from; empty if from memory.
    """

    array: npt.NDArray[np.generic] = field(repr=False)
    geometry: Geometry
    name: str = "image"
    sha256: str = ""

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape_zyx:
            raise GeometryError(
                f"'{self.name}' has an array of shape {self.array.shape} "
                f"but a geometry of {self.geometry.shape_zyx} (z, y, x)."
            )
        view = self.array.view()
        view.flags.writeable = False
        object.__setattr__(self, "array", view)

    def with_array(self, array: Array, name: str | None = None) -> "Volume":
        """A new volume on the same grid."""
        return replace(self, array=array, name=self.name if name is None else name, sha256="")


def check_intensities(volume: Volume) -> Volume:
    """Return the volume if it can be scanned.

    Raises:
        ImageError: It holds NaN or infinite voxels, or the same value everywhere.
    """
    array = volume.array
    if np.iscomplexobj(array):
        raise ImageError(
            f"'{volume.name}' has complex voxels; a real-valued image is needed. Save its magnitude and use that."
        )
    if np.issubdtype(array.dtype, np.floating):
        broken = int(array.size - np.count_nonzero(np.isfinite(array)))
        if broken:
            raise ImageError(
                f"'{volume.name}' has {broken} voxels that are not finite numbers (NaN or infinity). "
                "Find out where they come from, and replace them, "
                "for example by the background value, before detecting."
            )
    low, high = array.min(), array.max()
    if low == high:
        raise ImageError(
            f"'{volume.name}' has the value {low!s} in every voxel: there is nothing to detect in. "
            "Check the export of the image."
        )
    return volume
