"""Channels, masks and lesions under different parent transforms, against analytic cases."""

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

import slicer
import slicer.util
import vtk
from nodes import node_like, put_under, rigid

from mtann.errors import CasesError, GeometryError, ImageError
from MTANNDetectLib.ChannelAdapter import volumesFromNodes
from MTANNDetectLib.LesionAdapter import lesionsFromNode, maskFromNode
from MTANNDetectLib.Spaces import worldFromLocal
from MTANNDetectLib.VolumeAdapter import volumeFromNode
from unit.grids import world_points

pytestmark = pytest.mark.slicer

SHAPE = (20, 24, 28)
AXIS = (1, 2, 3)


def _ramp_node(name="ramp"):
    """A volume node whose voxel value is 2 R + 3 A - S of its own coordinates."""
    ijk_to_ras = np.diag([1.5, 1.5, 2.0, 1.0])
    ijk_to_ras[:3, 3] = (-20, -18, -19)
    k, j, i = np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij")
    ras = np.stack([i, j, k], axis=-1) @ ijk_to_ras[:3, :3].T + ijk_to_ras[:3, 3]
    return slicer.util.addVolumeFromArray((ras @ (2, 3, -1)).astype(np.float32), ijk_to_ras, name)


def _grid_transform():
    """A displacement of (1.5 sin(A/9), 0, 0) mm to the parent, as a grid transform node."""
    displacement = vtk.vtkImageData()
    displacement.SetDimensions(81, 81, 81)
    displacement.SetOrigin(-80, -80, -80)
    displacement.SetSpacing(2, 2, 2)
    displacement.AllocateScalars(vtk.VTK_DOUBLE, 3)
    from vtk.util import numpy_support

    array = numpy_support.vtk_to_numpy(displacement.GetPointData().GetScalars()).reshape(81, 81, 81, 3)
    a = -80 + 2 * np.arange(81)
    array[...] = 0
    array[..., 0] = 1.5 * np.sin(a / 9)[None, :, None]
    grid = slicer.vtkOrientedGridTransform()
    grid.SetDisplacementGridData(displacement)
    grid.SetInterpolationModeToCubic()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", "bend")
    node.SetAndObserveTransformToParent(grid)
    return node


def _interior_error(volume, expected):
    inside = (slice(4, -4),) * 3
    return np.abs(volume.array[inside] - expected[inside]).max()


def _ras(geometry):
    return world_points(geometry) * (-1, -1, 1)


def test_the_same_transform_changes_nothing(scene):
    first, second = _ramp_node("a"), _ramp_node("b")
    second.SetAndObserveTransformNodeID(put_under(first, rigid(AXIS, 0.4, (3, 4, 5))).GetID())
    a, b = volumesFromNodes([first, second])
    assert a.geometry == b.geometry
    assert np.array_equal(a.array, b.array)


def test_rigid_transforms_change_the_geometry_only(scene):
    first, second = _ramp_node("a"), _ramp_node("b")
    put_under(first, rigid(AXIS, 0.3, (10, 0, -4)))
    put_under(second, rigid(AXIS, -0.5, (2, 7, 1)))
    _, moved = volumesFromNodes([first, second])
    assert np.array_equal(moved.array, slicer.util.arrayFromVolume(second))
    # The world position of a voxel by way of the second node, and by way of the first node's coordinates.
    local = volumeFromNode(second).geometry.lps_from_index([(0, 0, 0), (19, 3, 8)]) * (-1, -1, 1)
    world = worldFromLocal(second, local)
    through_first = worldFromLocal(first, moved.geometry.lps_from_index([(0, 0, 0), (19, 3, 8)]) * (-1, -1, 1))
    assert np.allclose(world, through_first, atol=1e-9)


def test_scaling_along_the_axes_changes_the_spacing(scene):
    first, second = _ramp_node("a"), _ramp_node("b")
    put_under(second, np.diag([1.1, 0.9, 1.2, 1.0]))
    _, moved = volumesFromNodes([first, second])
    assert np.allclose(moved.geometry.spacing_xyz_mm, (1.65, 1.35, 2.4))


def test_shear_is_applied_by_resampling(scene):
    first, second = _ramp_node("a"), _ramp_node("b")
    shear = np.eye(4)
    shear[0, 1] = 0.2
    put_under(second, shear)
    reference, moved = volumesFromNodes([first, second])
    assert moved.geometry == reference.geometry
    # A point at (r, a, s) of the world came from (r - 0.2 a, a, s) of the second node.
    ras = _ras(reference.geometry)
    expected = 2 * (ras[..., 0] - 0.2 * ras[..., 1]) + 3 * ras[..., 1] - ras[..., 2]
    assert _interior_error(moved, expected) < 1e-3


def test_bending_is_applied_by_resampling(scene):
    first, second = _ramp_node("a"), _ramp_node("b")
    second.SetAndObserveTransformNodeID(_grid_transform().GetID())
    reference, moved = volumesFromNodes([first, second])
    ras = _ras(reference.geometry)
    # To the world is r + 1.5 sin(a/9), so the value comes from r - 1.5 sin(a/9).
    expected = 2 * (ras[..., 0] - 1.5 * np.sin(ras[..., 1] / 9)) + 3 * ras[..., 1] - ras[..., 2]
    assert _interior_error(moved, expected) < 2e-2


def test_bending_of_the_first_node_is_undone(scene):
    first, second = _ramp_node("a"), _ramp_node("b")
    first.SetAndObserveTransformNodeID(_grid_transform().GetID())
    reference, moved = volumesFromNodes([first, second])
    ras = _ras(reference.geometry)
    expected = 2 * (ras[..., 0] + 1.5 * np.sin(ras[..., 1] / 9)) + 3 * ras[..., 1] - ras[..., 2]
    assert _interior_error(moved, expected) < 2e-2


def test_outside_a_resampled_channel_its_edge_is_replicated(scene):
    first, second = _ramp_node("a"), _ramp_node("b")
    shear = np.eye(4)
    shear[0, 1], shear[2, 3] = 0.01, 10.0
    put_under(second, shear)
    _, moved = volumesFromNodes([first, second])
    assert np.allclose(moved.array[0], moved.array[4], atol=1e-3)
    assert not np.allclose(moved.array[-1], moved.array[-5], atol=1e-3)


def test_a_channel_elsewhere_in_space_is_refused(scene):
    first, second = _ramp_node("a"), _ramp_node("far away")
    matrix = np.eye(4)
    matrix[0, 1], matrix[2, 3] = 0.1, 900
    put_under(second, matrix)
    with pytest.raises(GeometryError, match="'far away' does not overlap"):
        volumesFromNodes([first, second])
    with pytest.raises(ImageError, match="at least one"):
        volumesFromNodes([])


def test_a_mask_under_another_transform_lands_where_it_is_seen(scene):
    image = _ramp_node("a")
    array = np.zeros(SHAPE, np.uint8)
    array[8:12, 9:15, 10:16] = 1
    mask = node_like(image, array, "brain")
    shear = np.eye(4)
    shear[0, 1], shear[1, 3] = 0.004, 3.0
    put_under(mask, shear)
    moved = maskFromNode(mask, image, volumeFromNode(image).geometry)
    assert np.array_equal(moved.array, np.roll(array, 2, axis=1))


def test_points_are_taken_from_the_world_to_the_image(scene):
    image = _ramp_node("a")
    put_under(image, rigid(AXIS, 0.7, (5, -6, 7)))
    points = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "lesions")
    put_under(points, rigid(AXIS, -0.2, (1, 1, 1)))
    local = np.array([[1.0, 2.0, 3.0], [-4.0, 5.0, 6.0]])
    for world in worldFromLocal(image, local):
        points.AddControlPointWorld(vtk.vtkVector3d(*world), "")
    points.AddControlPoint(0, 0, 0, "skipped")
    points.UnsetNthControlPointPosition(2)
    lesions = lesionsFromNode(points, image, volumeFromNode(image).geometry)
    assert np.allclose([lesion.centre_lps_mm for lesion in lesions], local * (-1, -1, 1), atol=1e-6)


def test_label_maps_and_segmentations_give_the_same_lesions(scene):
    image = _ramp_node("a")
    array = np.zeros(SHAPE, np.uint8)
    array[8:12, 9:15, 10:16] = 1
    array[3:5, 3:5, 3:5] = 2
    labels = node_like(image, array, "labels")
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segments")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(image)
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labels, segmentation)
    geometry = volumeFromNode(image).geometry
    for node in (labels, segmentation):
        centres = sorted(lesion.centre_lps_mm for lesion in lesionsFromNode(node, image, geometry))
        expected = sorted(tuple(geometry.lps_from_index(c)) for c in [(9.5, 11.5, 12.5), (3.5, 3.5, 3.5)])
        assert np.allclose(centres, expected, atol=1e-6)


def test_nodes_that_mark_no_lesion_are_refused_by_name(scene):
    image = _ramp_node("a")
    geometry = volumeFromNode(image).geometry
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "numbers")
    points = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "no points")
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "blank")
    for node, error, words in [
        (table, CasesError, "'numbers' is a Table node"),
        (points, CasesError, "'no points' holds no placed point"),
        (segmentation, ImageError, "'blank'"),
        (None, CasesError, "No lesions"),
    ]:
        with pytest.raises(error, match=words):
            lesionsFromNode(node, image, geometry)
