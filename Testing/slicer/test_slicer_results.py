"""A result as nodes: values, places in the world, placing in the scene, saving and loading."""

import zipfile

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

import slicer
import slicer.util
from nodes import put_under, rigid, scene_label_map
from results import SCORES, make_result

from mtann.errors import CasesError
from MTANNDetectLib import ResultAdapter
from MTANNDetectLib.Colours import TABLE_NAME, likelihoodColours
from MTANNDetectLib.ResultAdapter import nodesFromResult
from MTANNDetectLib.Spaces import worldFromLocal
from MTANNDetectLib.TableAdapter import candidatesFromTable
from MTANNDetectLib.VolumeAdapter import labelVolumeFromNode, volumeFromNode

pytestmark = pytest.mark.slicer


@pytest.fixture
def moved_image(oblique_image):
    """The oblique image under a rigid parent transform."""
    put_under(oblique_image, rigid((0.3, 1, -0.4), 0.8, (15, -25, 35)))
    return oblique_image


@pytest.fixture
def result(moved_image):
    return make_result(volumeFromNode(moved_image).geometry)


def _world(image, points_lps):
    return worldFromLocal(image, np.asarray(points_lps) * (-1, -1, 1))


def test_volumes_hold_the_result_on_the_inputs_grid(moved_image, result):
    nodes = nodesFromResult(result, moved_image)
    assert np.array_equal(volumeFromNode(nodes.likelihoodNode).array, result.likelihood.array)
    assert np.array_equal(labelVolumeFromNode(nodes.labelMapNode).array, result.candidate_map.array)
    for node in (nodes.likelihoodNode, nodes.labelMapNode):
        assert labelVolumeFromNode(node).geometry.matches(result.likelihood.geometry)
        assert node.GetTransformNodeID() == moved_image.GetTransformNodeID()


def test_the_overlay_uses_our_table_and_hides_faint_values(moved_image, result):
    display = nodesFromResult(result, moved_image).likelihoodNode.GetDisplayNode()
    assert display.GetColorNode().GetName() == TABLE_NAME
    assert (display.GetAutoWindowLevel(), display.GetAutoThreshold(), display.GetApplyThreshold()) == (0, 0, 1)
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 1.0)
    assert display.GetLowerThreshold() == pytest.approx(0.4 * 0.5)
    assert display.GetUpperThreshold() > result.likelihood.array.max()


def test_the_colour_table_rises_evenly_in_lightness():
    colours = likelihoodColours()
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)[:, :3]
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    assert np.all(np.diff(luminance) >= 0)
    assert luminance[0] < 1e-3
    assert luminance[-1] > 0.8
    assert colours.min() >= 0
    assert colours.max() <= 1


def test_one_table_serves_all_runs_and_runs_replace_nothing(moved_image, result, scene):
    first, second = nodesFromResult(result, moved_image), nodesFromResult(result, moved_image)
    assert first.likelihoodNode.GetDisplayNode().GetColorNode() is second.likelihoodNode.GetDisplayNode().GetColorNode()
    assert first.likelihoodNode.GetName() == "FLAIR MTANN likelihood"
    assert second.likelihoodNode.GetName() == "FLAIR MTANN likelihood_1"
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 2


def test_segments_hold_the_reported_candidates_voxels(moved_image, result):
    segmentation = nodesFromResult(result, moved_image).segmentationNode
    assert segmentation.GetTransformNodeID() == moved_image.GetTransformNodeID()
    ids = segmentation.GetSegmentation().GetSegmentIDs()
    assert ids == ("candidate_1", "candidate_2")
    colours = set()
    for candidate in result.reported:
        segment = segmentation.GetSegmentation().GetSegment(f"candidate_{candidate.id}")
        assert segment.GetName() == f"Candidate {candidate.id} ({candidate.score:.2f})"
        assert "4147007" in segment.GetTerminology()
        colours.add(segment.GetColor())
        labels = scene_label_map(segmentation, segment_id=f"candidate_{candidate.id}", reference=moved_image)
        assert np.array_equal(labels != 0, result.candidate_map.array == candidate.id)
        # Slicer's centre is a voxel's (within half a voxel of 2.1 mm) and already in the world.
        centre = segmentation.GetSegmentCenterRAS(f"candidate_{candidate.id}")
        assert np.allclose(centre, _world(moved_image, candidate.centroid_lps_mm)[0], atol=1.5)
    assert len(colours) == 2


def test_markups_stand_at_the_centroids_in_the_world(moved_image, result):
    markups = nodesFromResult(result, moved_image).markupsNode
    expected = _world(moved_image, [candidate.centroid_lps_mm for candidate in result.reported])
    assert np.allclose(slicer.util.arrayFromMarkupsControlPoints(markups, world=True), expected, atol=1e-3)
    assert [markups.GetNthControlPointLabel(i) for i in range(2)] == ["1: 0.83", "2: 0.61"]
    assert all(markups.GetNthControlPointLocked(index) for index in range(2))


def test_scores_are_saved_with_the_markups(moved_image, result, scene, tmp_path):
    markups = nodesFromResult(result, moved_image).markupsNode
    markups.AddDefaultStorageNode()
    markups.GetStorageNode().SetFileName(str(tmp_path / "candidates.mrk.json"))
    assert markups.GetStorageNode().WriteData(markups)
    back = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "back")
    back.AddDefaultStorageNode()
    back.GetStorageNode().SetFileName(str(tmp_path / "candidates.mrk.json"))
    assert back.GetStorageNode().ReadData(back)
    scores = slicer.util.arrayFromMarkupsControlPointData(back, "score")
    assert np.allclose(scores, SCORES[:2], atol=1e-9)


def test_the_table_reads_back_as_it_was_written(moved_image, result):
    table = nodesFromResult(result, moved_image).tableNode
    assert candidatesFromTable(table) == result.candidates
    assert table.GetColumnTitle("score") == "Score"
    assert table.GetColumnTitle("volume_mm3") == "Volume (mm3)"


def test_the_table_shows_world_coordinates(moved_image, result):
    table = nodesFromResult(result, moved_image).tableNode.GetTable()
    expected = _world(moved_image, [candidate.centroid_lps_mm for candidate in result.candidates])
    shown = [[table.GetValueByName(row, f"world_{axis}_mm").ToDouble() for axis in "ras"] for row in range(3)]
    assert np.allclose(shown, expected, atol=1e-3)


def test_a_foreign_table_is_refused_by_name(scene):
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "numbers")
    with pytest.raises(CasesError, match="'numbers' lacks the column.*score"):
        candidatesFromTable(table)


def test_a_result_without_candidates_gives_five_empty_nodes(moved_image):
    result = make_result(volumeFromNode(moved_image).geometry, scores=())
    nodes = nodesFromResult(result, moved_image)
    assert nodes.markupsNode.GetNumberOfControlPoints() == 0
    assert nodes.segmentationNode.GetSegmentation().GetNumberOfSegments() == 0
    assert nodes.tableNode.GetNumberOfRows() == 0
    assert candidatesFromTable(nodes.tableNode) == ()


def _all_nodes(nodes):
    return [nodes.likelihoodNode, nodes.labelMapNode, nodes.segmentationNode, nodes.markupsNode, nodes.tableNode]


def test_results_go_under_the_inputs_study(moved_image, result, scene):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
    study = hierarchy.CreateStudyItem(patient, "study")
    folder = hierarchy.CreateFolderItem(study, "series")
    hierarchy.CreateItem(folder, moved_image)
    for node in _all_nodes(nodesFromResult(result, moved_image)):
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_without_a_study_results_go_beside_the_input(moved_image, result, scene):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "mine")
    hierarchy.CreateItem(folder, moved_image)
    for node in _all_nodes(nodesFromResult(result, moved_image)):
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == folder


@pytest.mark.parametrize("step", ["segmentationNodeFromResult", "tableNodeFromFindings", "placeBeside", "_warnings"])
def test_a_failure_leaves_no_half_made_nodes(moved_image, result, scene, monkeypatch, step):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    hierarchy.CreateItem(hierarchy.GetSceneItemID(), moved_image)
    before = {scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())}
    items = hierarchy.GetNumberOfItems()

    original = getattr(ResultAdapter, step)

    def fail(*args):
        original(*args)
        raise RuntimeError("broken")

    monkeypatch.setattr(ResultAdapter, step, fail)
    with pytest.raises(RuntimeError, match="broken"):
        nodesFromResult(result, moved_image)
    assert {scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())} == before
    assert hierarchy.GetNumberOfItems() == items


def test_a_saved_scene_comes_back_whole(moved_image, result, scene, tmp_path):
    nodes = nodesFromResult(result, moved_image)
    world = slicer.util.arrayFromMarkupsControlPoints(nodes.markupsNode, world=True)
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"), None)
    scene.Clear(1)
    assert scene.GetFirstNodeByName("FLAIR MTANN likelihood") is None
    # Slicer's own reading of the bundle needs the application's cache; unpacking it and opening the scene does not.
    with zipfile.ZipFile(tmp_path / "scene.mrb") as bundle:
        bundle.extractall(tmp_path / "unpacked")
    scene.SetURL(str(next((tmp_path / "unpacked").rglob("*.mrml"))))
    assert scene.Connect()
    likelihood = scene.GetFirstNodeByName("FLAIR MTANN likelihood")
    # Slicer turns a left-handed grid round when it reads it, so voxels are compared by place.
    read = volumeFromNode(likelihood)
    grid = result.likelihood.geometry
    index = np.argwhere(result.likelihood.array > 0)
    place = np.round(read.geometry.index_from_lps(grid.lps_from_index(index))).astype(int)
    assert np.count_nonzero(read.array) == len(index)
    assert np.array_equal(read.array[tuple(place.T)], result.likelihood.array[tuple(index.T)])
    assert likelihood.GetDisplayNode().GetColorNode().GetName() == TABLE_NAME
    assert likelihood.GetDisplayNode().GetLowerThreshold() == pytest.approx(0.2)
    colour = [0.0] * 4
    likelihood.GetDisplayNode().GetColorNode().GetColor(128, colour)
    assert np.allclose(colour, likelihoodColours()[128], atol=0.01)
    markups = scene.GetFirstNodeByName("FLAIR MTANN candidates")
    assert np.allclose(slicer.util.arrayFromMarkupsControlPoints(markups, world=True), world, atol=1e-3)
    assert scene.GetFirstNodeByName("FLAIR MTANN segmentation").GetSegmentation().GetNumberOfSegments() == 2
    read = candidatesFromTable(scene.GetFirstNodeByName("FLAIR MTANN table"))
    assert [c.id for c in read] == [1, 2, 3]
    assert [c.probability for c in read][1] is None
