"""The coordinate systems of nodes under parent transforms.

A node's own (local) coordinates are those inside its parent transform; world coordinates are what the slice views show.
All points here are RAS millimetres. ``None`` in place of a transform node means the world.
"""

import numpy as np
import numpy.typing as npt
import slicer
import slicer.util
import vtk
from vtk.util import numpy_support

from mtann.geometry import FloatArray

_RIGID_TOLERANCE = 1e-4


def transformBetween(
    source: slicer.vtkMRMLTransformNode | None, target: slicer.vtkMRMLTransformNode | None
) -> vtk.vtkGeneralTransform:
    """The transform that takes points inside one parent transform to the coordinates inside another."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(source, target, transform)
    return transform


def linearMatrix(transform: vtk.vtkGeneralTransform) -> FloatArray | None:
    """The 4x4 matrix of a transform, or None if it bends space."""
    linear = vtk.vtkTransform()
    if not slicer.vtkMRMLTransformNode.IsGeneralTransformLinear(transform, linear):
        return None
    return slicer.util.arrayFromVTKMatrix(linear.GetMatrix())


def transformedPoints(transform: vtk.vtkAbstractTransform, pointsRasMm: npt.ArrayLike) -> FloatArray:
    """Points (n, 3) taken through a transform."""
    array = np.ascontiguousarray(pointsRasMm, dtype=np.float64).reshape(-1, 3)
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    # Single precision, the default of vtkPoints, would lose a ten-thousandth of a millimetre.
    source.SetDataTypeToDouble()
    target.SetDataTypeToDouble()
    source.SetData(numpy_support.numpy_to_vtk(array, deep=True))
    transform.TransformPoints(source, target)
    return np.array(numpy_support.vtk_to_numpy(target.GetData()), dtype=np.float64).reshape(-1, 3)


def worldFromLocal(node: slicer.vtkMRMLTransformableNode, pointsRasMm: npt.ArrayLike) -> FloatArray:
    """Points (n, 3) in a node's own coordinates, taken to the world."""
    return transformedPoints(transformBetween(node.GetParentTransformNode(), None), pointsRasMm)


def turnToWorldDegrees(node: slicer.vtkMRMLTransformableNode, pointsRasMm: npt.ArrayLike) -> float:
    """By how much the node's parent transform turns that axis which it turns most; 180 for one that is mirrored.

    Args:
        node: The node under the transform.
        pointsRasMm: Points (n, 3) in the node's own coordinates, not all in one plane. A transform that bends space is
            taken as the affine one that comes closest to it there.
    """
    points = np.asarray(pointsRasMm, dtype=np.float64)
    own, world = points - points.mean(axis=0), worldFromLocal(node, points)
    affine = np.linalg.lstsq(own, world - world.mean(axis=0), rcond=None)[0].T
    # The polar decomposition leaves scaling and shear out.
    left, _scales, right = np.linalg.svd(affine)
    return float(np.degrees(np.arccos(np.clip(np.diag(left @ right).min(), -1.0, 1.0))))


def isRigidToWorld(node: slicer.vtkMRMLTransformableNode) -> bool:
    """Whether the node's parent transform keeps distances, so that sizes measured inside it hold in the world."""
    matrix = linearMatrix(transformBetween(node.GetParentTransformNode(), None))
    if matrix is None:
        return False
    axes = matrix[:3, :3]
    return bool(np.allclose(axes.T @ axes, np.eye(3), atol=_RIGID_TOLERANCE))
