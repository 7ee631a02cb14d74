"""Leaving out what lies outside a box that the user drew."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import slicer
import slicer.util
import vtk

from mtann.errors import SettingsError
from mtann.geometry import Geometry

from .Coordinates import flipped
from .Spaces import worldFromLocal
from .Translation import _

if TYPE_CHECKING:
    from mtann.detection.candidate import DetectionResult
    from mtann.segmentation.result import Segmentation


def insideBox(
    roiNode: slicer.vtkMRMLMarkupsROINode, pointsLpsMm: npt.ArrayLike, imageNode: slicer.vtkMRMLTransformableNode
) -> npt.NDArray[np.bool_]:
    """Which points (n, 3), in an image's own coordinates, lie within a box of the scene, its surface included."""
    world = worldFromLocal(imageNode, flipped(pointsLpsMm))
    toWorld = vtk.vtkMatrix4x4()
    toWorld.DeepCopy(roiNode.GetObjectToWorldMatrix())
    matrix = np.linalg.inv(slicer.util.arrayFromVTKMatrix(toWorld))
    local = world @ matrix[:3, :3].T + matrix[:3, 3]
    half = np.array(roiNode.GetSize()) / 2
    inside: npt.NDArray[np.bool_] = np.all(np.abs(local) <= half + 1e-6, axis=1)
    return inside


def voxelsInBox(
    roiNode: slicer.vtkMRMLMarkupsROINode, geometry: Geometry, imageNode: slicer.vtkMRMLTransformableNode
) -> npt.NDArray[np.bool_]:
    """Which voxels of a grid have their middle within a box.

    Raises:
        SettingsError: None has.
    """
    inside = np.zeros(geometry.shape_zyx, dtype=bool)
    plane = np.moveaxis(np.indices((1, *geometry.shape_zyx[1:])), 0, -1).reshape(-1, 3)
    for z in range(geometry.shape_zyx[0]):
        points = geometry.lps_from_index(plane + np.array([z, 0, 0]))
        inside[z] = insideBox(roiNode, points, imageNode).reshape(geometry.shape_zyx[1:])
    if not inside.any():
        raise SettingsError(
            _("The region '{name}' does not touch the first image. Move the box onto it, or choose none.").format(
                name=roiNode.GetName()
            )
        )
    return inside


def restricted(
    result: "DetectionResult", roiNode: slicer.vtkMRMLMarkupsROINode, imageNode: slicer.vtkMRMLScalarVolumeNode
) -> "DetectionResult":
    """The part of a result within a box: candidates whose centre lies in it, and the likelihood inside.

    Outlines stay whole. Candidates are numbered anew.

    Raises:
        SettingsError: The box does not touch the image.
    """
    geometry = result.likelihood.geometry
    box = voxelsInBox(roiNode, geometry, imageNode)
    centres = [candidate.centroid_lps_mm for candidate in result.candidates]
    inside = insideBox(roiNode, centres, imageNode) if centres else []
    kept = [one for one, there in zip(result.candidates, inside, strict=True) if there]
    numbers = np.zeros(max([0, *(one.id for one in result.candidates)]) + 1, dtype=result.candidate_map.array.dtype)
    for number, candidate in enumerate(kept, start=1):
        numbers[candidate.id] = number
    labels = numbers[result.candidate_map.array]
    return replace(
        result,
        likelihood=result.likelihood.with_array(np.where(box | (labels > 0), result.likelihood.array, 0)),
        candidate_map=result.candidate_map.with_array(labels),
        candidates=tuple(replace(one, id=number) for number, one in enumerate(kept, start=1)),
        warnings=(*result.warnings, _leftOut(roiNode)),
    )


def insideOnly(
    result: "Segmentation", roiNode: slicer.vtkMRMLMarkupsROINode, imageNode: slicer.vtkMRMLScalarVolumeNode
) -> "Segmentation":
    """The part of a segmentation within a box, its volumes counted anew.

    Raises:
        SettingsError: The box does not touch the image.
    """
    geometry = result.label_map.geometry
    box = voxelsInBox(roiNode, geometry, imageNode)
    cut = result.label_map.with_array(np.where(box, result.label_map.array, 0).astype(result.label_map.array.dtype))
    labels = []
    for label in result.labels:
        mask = None if label.mask is None else label.mask.with_array(label.mask.array * box)
        inside = np.isin(cut.array, label.values) if mask is None else mask.array
        volume = float(np.count_nonzero(inside)) * geometry.voxel_volume_mm3
        labels.append(replace(label, mask=mask, volume_mm3=volume))
    return replace(
        result,
        label_map=cut,
        labels=tuple(labels),
        warnings=(*result.warnings, _leftOut(roiNode)),
    )


def _leftOut(roiNode: slicer.vtkMRMLMarkupsROINode) -> str:
    return _("Findings outside the region '{name}' were left out.").format(name=roiNode.GetName())
