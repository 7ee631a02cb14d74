"""Several nodes of one patient, brought into the coordinates of the first one.

Nodes may lie under different parent transforms (a registration result, for example). What the library gets is always
what the slice views show.
"""

from collections.abc import Sequence

import numpy as np
import slicer
import vtk
from slicer.util import vtkMatrixFromArray
from vtk.util import numpy_support

from mtann.errors import GeometryError, ImageError
from mtann.geometry import Geometry
from mtann.volume import Volume

from .Coordinates import geometryFromIjkToRas, ijkToRasFromGeometry
from .Spaces import linearMatrix, transformBetween, transformedPoints
from .Translation import _
from .VolumeAdapter import volumeFromNode

_LATTICE_POINTS = 17


def volumesFromNodes(nodes: Sequence[slicer.vtkMRMLScalarVolumeNode]) -> tuple[Volume, ...]:
    """Copy volume nodes into volumes that share the first node's coordinates.

    Nodes under the same parent transform pass as they are. One that moves, turns or scales along the axes only changes
    the geometry, so no voxel is interpolated; one that shears or bends is applied by resampling.

    Raises:
        ImageError: A node is no image, or is empty.
        GeometryError: A node cannot be placed in the first one's coordinates.
    """
    if not nodes:
        raise ImageError(_("No volume was given. Choose at least one volume."))
    first, *others = nodes
    reference = volumeFromNode(first)
    moved = [volumeInSpaceOf(volumeFromNode(node), node, reference.geometry, first) for node in others]
    return (reference, *moved)


def volumeInSpaceOf(
    volume: Volume,
    node: slicer.vtkMRMLTransformableNode,
    referenceGeometry: Geometry,
    referenceNode: slicer.vtkMRMLTransformableNode,
    nearest: bool = False,
) -> Volume:
    """Express a volume, given in one node's own coordinates, in those of another node.

    Args:
        volume: What was copied from ``node``.
        node: The node whose parent transform applies to the volume.
        referenceGeometry: Grid to resample onto where the voxels themselves must change.
        referenceNode: The node whose coordinates are wanted.
        nearest: Whether to keep values as they are (label maps) when resampling; outside the volume is then 0.

    Raises:
        GeometryError: The relation is not one that the volume can be brought through.
    """
    source, target = node.GetParentTransformNode(), referenceNode.GetParentTransformNode()
    if source is target:
        return volume
    matrix = linearMatrix(transformBetween(source, target))
    if matrix is not None:
        try:
            ijkToRas = matrix @ ijkToRasFromGeometry(volume.geometry)
            geometry = geometryFromIjkToRas(volume.geometry.shape_zyx, ijkToRas, node.GetName())
        except GeometryError:
            pass  # Sheared: no rectangular grid describes it, so the voxels are resampled below.
        else:
            return Volume(volume.array, geometry, volume.name, volume.sha256)
    return _resampled(volume, transformBetween(target, source), referenceGeometry, node.GetName(), nearest)


def _resampled(
    volume: Volume, referenceToVolume: vtk.vtkGeneralTransform, grid: Geometry, name: str, nearest: bool
) -> Volume:
    indexTransform = _indexTransform(volume, referenceToVolume, grid)
    _requireOverlap(volume, indexTransform, grid, name)
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(_imageOf(volume.array if nearest else volume.array.astype(np.float32)))
    reslice.SetResliceTransform(indexTransform)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    x, y, z = grid.size_xyz
    reslice.SetOutputExtent(0, x - 1, 0, y - 1, 0, z - 1)
    if nearest:
        reslice.SetInterpolationModeToNearestNeighbor()
        reslice.SetBackgroundLevel(0)
    else:
        reslice.SetInterpolationModeToLinear()
        # Outside the volume its edge is replicated, as everywhere in the library: the border is as wide as any volume.
        reslice.BorderOn()
        reslice.SetBorderThickness(1e6)
    reslice.Update()
    scalars = numpy_support.vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars())
    return Volume(np.array(scalars).reshape(grid.shape_zyx), grid, volume.name)


def _indexTransform(
    volume: Volume, referenceToVolume: vtk.vtkGeneralTransform, grid: Geometry
) -> vtk.vtkGeneralTransform:
    """From an index of the reference grid to an index of the volume, both in x, y, z order."""
    transform = vtk.vtkGeneralTransform()
    transform.PostMultiply()
    transform.Concatenate(vtkMatrixFromArray(ijkToRasFromGeometry(grid)))
    transform.Concatenate(referenceToVolume)
    transform.Concatenate(vtkMatrixFromArray(np.linalg.inv(ijkToRasFromGeometry(volume.geometry))))
    return transform


def _requireOverlap(volume: Volume, indexTransform: vtk.vtkGeneralTransform, grid: Geometry, name: str) -> None:
    axes = [np.linspace(0, size - 1, min(size, _LATTICE_POINTS)) for size in grid.size_xyz]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    index = transformedPoints(indexTransform, lattice)
    if not volume.geometry.contains_index(index[:, ::-1]).any():
        raise GeometryError(
            _(
                "'{name}' does not overlap the first volume in space under its parent transform. Check "
                "that both belong to the same patient and that the transform is the right one."
            ).format(name=name)
        )


def _imageOf(array: np.ndarray) -> vtk.vtkImageData:
    """The array as an image whose coordinates are its indices."""
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    return image
