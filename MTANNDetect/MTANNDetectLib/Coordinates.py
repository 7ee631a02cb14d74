"""Slicer's axes and the library's: the one place where RAS becomes LPS and back.

Slicer's world is RAS (x to the patient's right, y to anterior), the library's is LPS. Both are right-handed, so the
change is two signs. Matrices here are numpy arrays; ``ijk`` is an index in x, y, z order.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import slicer.util
import vtk

from mtann.errors import GeometryError
from mtann.geometry import FloatArray, Geometry

from .Translation import _

_SIGNS = np.array([-1.0, -1.0, 1.0])


def flipped(pointsMm: npt.ArrayLike) -> FloatArray:
    """Points (..., 3) taken from RAS to LPS, or from LPS to RAS: the same two signs either way."""
    return np.asarray(pointsMm, dtype=np.float64) * _SIGNS


def geometryFromIjkToRas(shapeZyx: Sequence[int], ijkToRas: npt.ArrayLike, name: str) -> Geometry:
    """The library's geometry for a voxel grid with this 4x4 index-to-RAS matrix.

    Raises:
        GeometryError: The matrix is singular or its axes are not at right angles; the message names the volume.
    """
    try:
        return Geometry.from_matrix(shapeZyx, np.diag([*_SIGNS, 1.0]) @ np.asarray(ijkToRas, dtype=np.float64))
    except GeometryError as error:
        raise GeometryError(_("The volume '{name}' cannot be used: {error}").format(name=name, error=error)) from error


def ijkToRasFromGeometry(geometry: Geometry) -> FloatArray:
    """The 4x4 index-to-RAS matrix of a geometry."""
    return np.diag([*_SIGNS, 1.0]) @ geometry.matrix


def ijkToRasFromNode(volumeNode: slicer.vtkMRMLVolumeNode) -> FloatArray:
    """The 4x4 index-to-RAS matrix of a volume node, its parent transform left out."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def setIjkToRas(volumeNode: slicer.vtkMRMLVolumeNode, geometry: Geometry) -> None:
    """Give a volume node a geometry."""
    volumeNode.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijkToRasFromGeometry(geometry)))
