"""What a result says about a parent transform under which its numbers are not what the user sees."""

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

import slicer
import slicer.util
import vtk
from nodes import put_under, rigid, rotation
from results import make_result

from MTANNDetectLib.ResultAdapter import nodesFromResult
from MTANNDetectLib.VolumeAdapter import volumeFromNode

pytestmark = pytest.mark.slicer


def test_scaling_or_bending_transforms_are_warned_of(oblique_image):
    result = make_result(volumeFromNode(oblique_image).geometry)
    assert nodesFromResult(result, oblique_image).warnings == result.warnings
    put_under(oblique_image, np.diag([1.2, 1, 1, 1]))
    assert "volume's own space" in nodesFromResult(result, oblique_image).warnings[-1]


def test_turning_transforms_are_warned_of_from_five_degrees(oblique_image):
    result = make_result(volumeFromNode(oblique_image).geometry)
    transform = put_under(oblique_image, np.eye(4))
    for axis in np.eye(3):
        for degrees, warned in ((4.9, False), (-4.9, False), (5.1, True), (-5.1, True), (180, True)):
            matrix = rigid(axis, np.radians(degrees))
            transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
            added = nodesFromResult(result, oblique_image).warnings[len(result.warnings) :]
            assert ["own axial plane" in warning for warning in added] == [True] * warned


def test_turning_is_seen_apart_from_scaling_mirroring_and_bending(oblique_image, scene):
    result = make_result(volumeFromNode(oblique_image).geometry)

    def added():
        return nodesFromResult(result, oblique_image).warnings[len(result.warnings) :]

    put_under(oblique_image, rigid((1, 0, 0), 0.3) @ np.diag([1.2, 1, 1, 1]))
    scales, turns = added()
    assert "scales or bends" in scales
    assert "own axial plane" in turns
    put_under(oblique_image, np.diag([-1, 1, 1, 1]))
    assert ["own axial plane" in warning for warning in added()] == [True]
    bending = scene.AddNewNodeByClass("vtkMRMLTransformNode", "bending")
    oblique_image.SetAndObserveTransformNodeID(bending.GetID())
    for angle, warned in ((0.02, False), (0.3, True)):
        bending.SetAndObserveTransformToParent(_bent(angle))
        assert ["own axial plane" in warning for warning in added()] == [False] + [True] * warned


def _bent(angle):
    """A thin-plate spline that turns by an angle, and bends a little."""
    corners = np.array(np.meshgrid([-60, 60], [-60, 60], [-60, 60])).reshape(3, -1).T
    moved = corners @ rotation((1, 0, 0), angle).T
    moved[0] += 2
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    for points, put in ((corners, spline.SetSourceLandmarks), (moved, spline.SetTargetLandmarks)):
        landmarks = vtk.vtkPoints()
        for point in points:
            landmarks.InsertNextPoint(point)
        put(landmarks)
    return spline


def test_turning_is_seen_for_a_single_slice(scene):
    image = slicer.util.addVolumeFromArray(np.zeros((1, 12, 14), np.float32), np.diag([1, 1, 3, 1]), "slice")
    result = make_result(volumeFromNode(image).geometry, scores=())
    assert nodesFromResult(result, image).warnings == result.warnings
    put_under(image, rigid((0, 1, 0), 0.3))
    assert "own axial plane" in nodesFromResult(result, image).warnings[-1]
