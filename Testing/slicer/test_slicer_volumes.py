"""Nodes to volumes and back: voxels and places, by value."""

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

import slicer
import slicer.util
import vtk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodes import put_under, rigid, rotation

from mtann.errors import GeometryError, ImageError
from mtann.geometry import Geometry
from mtann.volume import Volume
from MTANNDetectLib.VolumeAdapter import (
    labelVolumeFromNode,
    nodeFromVolume,
    updateNodeFromVolume,
    volumeFromNode,
)

pytestmark = pytest.mark.slicer

_angles = st.floats(-3.1, 3.1)
_spacings = st.floats(0.2, 6.0)
_places = st.floats(-300, 300)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    axis=st.tuples(_angles, _angles, st.floats(0.1, 1)),
    angle=_angles,
    spacing=st.tuples(_spacings, _spacings, _spacings),
    origin=st.tuples(_places, _places, _places),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
)
def test_any_geometry_survives_the_round_trip(scene, axis, angle, spacing, origin, flips, shape):
    direction = rotation(axis, angle) @ np.diag(np.where(flips, -1.0, 1.0))
    geometry = Geometry(shape, spacing, origin, tuple(direction.ravel()))
    volume = Volume(np.arange(np.prod(shape), dtype=np.int16).reshape(shape), geometry, "v")
    back = volumeFromNode(nodeFromVolume(volume, "v"))
    assert back.geometry.matches(geometry)
    assert np.array_equal(back.array, volume.array)
    scene.Clear(0)


def test_a_voxel_lies_where_slicer_shows_it(oblique_image):
    volume = volumeFromNode(oblique_image)
    matrix = vtk.vtkMatrix4x4()
    oblique_image.GetIJKToRASMatrix(matrix)
    ras = np.array(matrix.MultiplyPoint((3, 7, 11, 1)))[:3]
    lps = volume.geometry.lps_from_index((11, 7, 3))
    assert np.allclose(lps, ras * (-1, -1, 1), atol=1e-9)
    assert volume.array[11, 7, 3] == oblique_image.GetImageData().GetScalarComponentAsFloat(3, 7, 11, 0)


def test_the_array_is_a_copy(oblique_image):
    volume = volumeFromNode(oblique_image)
    before = volume.array.copy()
    slicer.util.arrayFromVolume(oblique_image)[:] = 0
    assert np.array_equal(volume.array, before)


def test_the_parent_transform_is_left_out(oblique_image):
    without = volumeFromNode(oblique_image).geometry
    put_under(oblique_image, rigid((1, 2, 3), 0.4, (50, 0, 0)))
    assert volumeFromNode(oblique_image).geometry == without


def test_update_keeps_the_transform_and_replaces_the_rest(oblique_image):
    transform = put_under(oblique_image, np.eye(4))
    geometry = Geometry((2, 3, 4), (1, 2, 3), (5, 6, 7))
    updateNodeFromVolume(oblique_image, Volume(np.ones((2, 3, 4), np.uint8), geometry))
    assert volumeFromNode(oblique_image).geometry.matches(geometry)
    assert oblique_image.GetParentTransformNode() is transform


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [(bool, np.uint8), (np.int64, np.int32), (np.uint64, np.int32), (np.float16, np.float32), (np.uint16, np.uint16)],
)
def test_voxel_types_that_slicer_lacks_are_replaced(scene, dtype, stored):
    array = np.array([0, 1, 1, 0], dtype=dtype).reshape(1, 2, 2)
    node = nodeFromVolume(Volume(array, Geometry((1, 2, 2), (1, 1, 1), (0, 0, 0))), "v")
    assert slicer.util.arrayFromVolume(node).dtype == stored
    assert slicer.util.arrayFromVolume(node).tolist() == [[[0, 1], [1, 0]]]


def test_a_dicom_node_does_not_hand_on_its_name(oblique_image):
    oblique_image.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    assert volumeFromNode(oblique_image).name == "DICOM series"
    assert volumeFromNode(oblique_image, "flair").name == "flair"


def test_nodes_that_are_no_image_are_refused_by_name(scene):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    labels = slicer.util.addVolumeFromArray(np.ones((2, 2, 2), np.uint8), None, "labels", "vtkMRMLLabelMapVolumeNode")
    colour = slicer.util.addVolumeFromArray(np.ones((2, 2, 2, 3), np.uint8), None, "rgb", "vtkMRMLVectorVolumeNode")
    points = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "points")
    for node, words in [
        (empty, "'nothing' holds no voxels"),
        (labels, "'labels' is a label map"),
        (colour, "'rgb' has . values a voxel"),
        (points, "'points' is a MarkupsFiducial"),
        (None, "No volume was given"),
    ]:
        with pytest.raises(ImageError, match=words):
            volumeFromNode(node)
    assert labelVolumeFromNode(labels).array.sum() == 8


def test_a_sheared_node_is_refused_by_name(scene):
    matrix = np.eye(4)
    matrix[0, 2] = 0.3
    node = slicer.util.addVolumeFromArray(np.ones((2, 2, 2), np.uint8), matrix, "tilted")
    with pytest.raises(GeometryError, match="'tilted'.*right angles"):
        volumeFromNode(node)
