"""Reviewing a result: each step reaches every node, can be undone, and comes back with the saved scene."""

import zipfile

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

import slicer
import slicer.util
from nodes import put_under, rigid
from results import SCORES, make_result

from mtann.errors import CasesError
from MTANNDetectLib.MarkupsAdapter import numbersOfPoints
from MTANNDetectLib.ResultAdapter import nodesFromResult
from MTANNDetectLib.Review.Findings import ACCEPTED, ADDED, NEW, REJECTED, byId, summarise
from MTANNDetectLib.Review.ResultNodes import nodesOfResult, resultTables
from MTANNDetectLib.Review.Session import ReviewSession
from MTANNDetectLib.Spaces import worldFromLocal
from MTANNDetectLib.TableAdapter import findingsFromTable
from MTANNDetectLib.VolumeAdapter import volumeFromNode

pytestmark = pytest.mark.slicer


@pytest.fixture
def session(oblique_image):
    put_under(oblique_image, rigid((0.3, 1, -0.4), 0.8, (15, -25, 35)))
    result = make_result(volumeFromNode(oblique_image).geometry)
    return ReviewSession(nodesFromResult(result, oblique_image).tableNode)


def _segments(session):
    return set(session.nodes.segmentationNode.GetSegmentation().GetSegmentIDs())


def _visible(session):
    return set(session.nodes.segmentationNode.GetDisplayNode().GetVisibleSegmentIDs())


def _labels(session):
    return slicer.util.arrayFromVolume(session.nodes.labelMapNode)


def _status(session):
    return {finding.id: finding.status for finding in findingsFromTable(session.nodes.tableNode)}


def _reported(session):
    return [one.id for one in findingsFromTable(session.nodes.tableNode) if one.candidate.reported]


def test_a_threshold_acts_on_everything_at_once(session):
    assert _reported(session) == numbersOfPoints(session.nodes.markupsNode) == [1, 2]
    session.setThreshold(0.7)
    assert _reported(session) == numbersOfPoints(session.nodes.markupsNode) == [1]
    assert _visible(session) == {"candidate_1"}
    assert session.nodes.likelihoodNode.GetDisplayNode().GetLowerThreshold() == pytest.approx(0.35)
    session.setThreshold(0.1)
    assert _reported(session) == numbersOfPoints(session.nodes.markupsNode) == [1, 2, 3]
    # A segment that was never there comes once the slider rests.
    assert _segments(session) == {"candidate_1", "candidate_2"}
    session.settle()
    assert _segments(session) == _visible(session) == {"candidate_1", "candidate_2", "candidate_3"}
    session.setThreshold(0.7)
    session.settle()
    assert _segments(session) == {"candidate_1"}


@pytest.mark.parametrize(("threshold", "count"), [(0.83, 1), (0.8301, 0), (0.61, 2), (0.2, 3)])
def test_a_score_at_the_threshold_counts(session, threshold, count):
    session.setThreshold(threshold)
    assert summarise(session.findings, threshold).count == count


def test_decisions_overrule_the_threshold(session):
    session.decide((1,), REJECTED)
    session.decide((3,), ACCEPTED)
    assert _status(session) == {1: REJECTED, 2: NEW, 3: ACCEPTED}
    assert _reported(session) == numbersOfPoints(session.nodes.markupsNode) == [2, 3]
    assert _segments(session) == {"candidate_2", "candidate_3"}
    session.setThreshold(0.99)
    assert _reported(session) == [3]


def test_a_merger_takes_the_voxels_together_and_measures_anew(session):
    before = _labels(session).copy()
    session.merge((1, 2))
    assert np.array_equal(_labels(session), np.where(before == 2, 1, before))
    whole = byId(session.findings, 1).candidate
    assert whole.score == SCORES[0]
    voxel = abs(np.linalg.det(session.geometry.matrix[:3, :3]))
    assert whole.volume_mm3 == pytest.approx(np.count_nonzero((before == 1) | (before == 2)) * voxel)
    assert [one.id for one in session.findings] == [1, 3]
    assert _segments(session) == {"candidate_1"}
    assert _segment_voxels(session, "candidate_1") == np.count_nonzero(_labels(session) == 1)


def _segment_voxels(session, name):
    image = slicer.vtkOrientedImageData()
    session.nodes.segmentationNode.GetBinaryLabelmapRepresentation(name, image)
    from vtk.util.numpy_support import vtk_to_numpy

    return int(np.count_nonzero(vtk_to_numpy(image.GetPointData().GetScalars())))


def test_merging_needs_two(session):
    with pytest.raises(CasesError, match="two or more"):
        session.merge((1,))


def test_a_split_gives_every_voxel_to_one_half(session):
    before = _labels(session).copy()
    session.split(1)
    after = _labels(session)
    assert set(np.unique(after[before == 1])) == {1, 4}
    assert np.array_equal(after[before != 1], before[before != 1])
    first, second = byId(session.findings, 1).candidate, byId(session.findings, 4).candidate
    assert first.score == second.score == SCORES[0]
    voxel = abs(np.linalg.det(session.geometry.matrix[:3, :3]))
    assert first.volume_mm3 + second.volume_mm3 == pytest.approx(np.count_nonzero(before == 1) * voxel)
    assert {"candidate_1", "candidate_4"} <= _segments(session)
    assert session.chosen == (1, 4)


def test_a_lesion_is_added_where_the_reader_points_in_the_world(session):
    geometry = session.geometry
    place = geometry.lps_from_index(np.array([3, 22, 5]))
    world = worldFromLocal(session.nodes.inputNode, [place * (-1, -1, 1)])[0]
    session.addAt(world.tolist(), 3.0)
    new = byId(session.findings, 4)
    assert new.status == ADDED
    assert np.isnan(new.candidate.score)
    # The model saw nothing there: a ball of the radius.
    inside = np.argwhere(_labels(session) == 4)
    distances = np.linalg.norm(geometry.lps_from_index(inside) - place, axis=1)
    assert len(inside) > 10
    assert distances.max() <= 3.0 + 1e-6
    assert np.allclose(session.worldOf(4), world, atol=1.1)
    assert numbersOfPoints(session.nodes.markupsNode) == [1, 2, 4]
    assert session.nodes.markupsNode.GetNthControlPointLabel(2) == "4"
    assert session.nodes.segmentationNode.GetSegmentation().GetSegment("candidate_4").GetName() == "Candidate 4 (added)"
    session.setThreshold(0.99)
    assert _reported(session) == [4]


def test_adding_on_a_candidate_accepts_it(session):
    session.addAt(session.worldOf(3).tolist(), 3.0)
    assert _status(session) == {1: NEW, 2: NEW, 3: ACCEPTED}


def test_adding_outside_the_image_is_refused(session):
    with pytest.raises(CasesError, match="outside the image"):
        session.addAt((999.0, 0.0, 0.0), 3.0)


def test_every_step_can_be_undone_and_redone(session):
    start = (_status(session), _labels(session).copy(), _segments(session))
    session.relabel((2,), " metastasis ")
    session.merge((1, 2))
    session.split(1)
    session.decide((4,), REJECTED)
    end = (_status(session), _labels(session).copy(), _segments(session))
    for _ in range(4):
        session.undo()
    assert not session.history.canUndo
    assert (_status(session), _segments(session)) == (start[0], start[2])
    assert np.array_equal(_labels(session), start[1])
    assert [one.candidate.class_name for one in session.findings] == ["lesion"] * 3
    for _ in range(4):
        session.redo()
    assert not session.history.canRedo
    assert (_status(session), _segments(session)) == (end[0], end[2])
    assert np.array_equal(_labels(session), end[1])
    session.undo()
    session.decide((1,), ACCEPTED)
    assert not session.history.canRedo


def test_a_blank_name_is_refused(session):
    with pytest.raises(CasesError, match="cannot be blank"):
        session.relabel((1,), "  ")


def test_points_of_lesions_without_a_score_can_be_saved(session, tmp_path, scene):
    session.addAt(
        worldFromLocal(session.nodes.inputNode, [session.geometry.lps_from_index([3, 22, 5]) * (-1, -1, 1)])[0], 3
    )
    node = session.nodes.markupsNode
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(str(tmp_path / "points.mrk.json"))
    assert node.GetStorageNode().WriteData(node)
    back = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "back")
    back.AddDefaultStorageNode()
    back.GetStorageNode().SetFileName(str(tmp_path / "points.mrk.json"))
    assert back.GetStorageNode().ReadData(back)
    assert np.allclose(slicer.util.arrayFromMarkupsControlPointData(back, "score"), [*SCORES[:2], -1])
    assert numbersOfPoints(back) == [1, 2, 4]


def test_a_saved_scene_brings_back_the_review(session, scene, tmp_path):
    session.decide((1,), ACCEPTED)
    session.decide((2,), REJECTED)
    session.split(1)
    session.relabel((4,), "metastasis")
    session.setThreshold(0.15)
    session.setOpacity(0.35)
    session.settle()
    expected = session.findings
    world = {one.id: session.worldOf(one.id) for one in expected}
    volumes = {number: np.count_nonzero(_labels(session) == number) for number in (1, 2, 3, 4)}
    _reopen(scene, tmp_path)
    (table,) = resultTables()
    again = ReviewSession(table)
    assert (again.threshold, again.opacity) == (0.15, 0.35)
    assert [(one.id, one.status, one.candidate.class_name) for one in again.findings] == [
        (one.id, one.status, one.candidate.class_name) for one in expected
    ]
    assert {number: np.count_nonzero(_labels(again) == number) for number in (1, 2, 3, 4)} == volumes
    for number, place in world.items():
        assert np.allclose(again.worldOf(number), place, atol=1e-3)
    assert _segments(again) == {"candidate_1", "candidate_3", "candidate_4"}
    assert again.about.model == "made-up 1"
    # The review goes on where it was left.
    again.merge((1, 4))
    assert np.count_nonzero(_labels(again) == 1) == volumes[1] + volumes[4]


def _reopen(scene, folder):
    assert scene.WriteToMRB(str(folder / "scene.mrb"), None)
    scene.Clear(1)
    # Slicer's own reading of the bundle needs the application's cache; unpacking it and opening the scene does not.
    with zipfile.ZipFile(folder / "scene.mrb") as bundle:
        bundle.extractall(folder / "unpacked")
    scene.SetURL(str(next((folder / "unpacked").rglob("*.mrml"))))
    assert scene.Connect()


def test_a_result_with_a_deleted_part_is_refused_by_name(session, scene):
    scene.RemoveNode(session.nodes.likelihoodNode)
    assert not session.nodes.isWhole
    with pytest.raises(CasesError, match="its likelihood was deleted"):
        nodesOfResult(session.nodes.tableNode)


def test_a_foreign_table_is_no_result(scene):
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "numbers")
    assert resultTables() == []
    with pytest.raises(CasesError, match="holds no result"):
        nodesOfResult(table)
