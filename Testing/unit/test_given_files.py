"""Candidates from files: each kind of file gives the same places, ids and scores."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mtann.detection.given import GivenCandidate
from mtann.errors import CasesError, MTANNError
from mtann.geometry import Geometry
from mtann.given_files import hash_given, read_given
from mtann.report.documents import result_document
from mtann.volume import Volume
from mtann.volume_io import write_volume
from unit.report.results import make_result

GRID = Geometry((12, 14, 16), (1.0, 2.0, 1.5), (-5.0, 3.0, 7.0))
_, RESULT = make_result()


def label_map(path, array=None):
    if array is None:
        array = np.zeros(GRID.shape_zyx, dtype=np.int16)
        array[2:4, 2:4, 2:4] = 7
        array[2:4, 4:6, 2:4] = 3  # It touches the first.
        array[8, 8, 8] = 7
    write_volume(Volume(array, GRID), path)
    return path


def test_components_of_a_label_map_are_numbered_and_keep_their_voxels(tmp_path):
    first, second = read_given(label_map(tmp_path / "seg.nii.gz"))
    assert [(one.id, one.score) for one in (first, second)] == [(1, None), (2, None)]
    assert (first.outline.array.sum(), second.outline.array.sum()) == (16, 1)
    np.testing.assert_allclose(second.centre_lps_mm, GRID.lps_from_index((8, 8, 8)), atol=1e-5)
    assert first.radius_mm == pytest.approx((3 * 16 * 3.0 / (4 * np.pi)) ** (1 / 3))


def test_values_of_a_label_map_are_ids_where_each_is_one_candidate(tmp_path):
    path = label_map(tmp_path / "seg.nii.gz")
    three, seven = read_given(path, keep_instances=True)
    assert (three.id, seven.id) == (3, 7)
    assert (three.outline.array.sum(), seven.outline.array.sum()) == (8, 9)
    assert [one.id for one in read_given(path, [7], keep_instances=True)] == [7]
    assert [one.outline.array.sum() for one in read_given(path, [3])] == [8]


def test_points_are_numbered_by_row_and_may_bring_radius_and_score(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("name,x_ras_mm,y_ras_mm,z_ras_mm,radius_mm,score\na,-1,-2,3,4.5,0.75\nb,4,5,6,,\n")
    assert read_given(path) == (
        GivenCandidate((1.0, 2.0, 3.0), 4.5, score=0.75, id=1),
        GivenCandidate((-4.0, -5.0, 6.0), None, id=2),
    )
    slicers = tmp_path / "points.fcsv"
    slicers.write_text("# CoordinateSystem = LPS\n# columns = id,x,y,z\na,1,2,3\n")
    assert read_given(slicers) == (GivenCandidate((1.0, 2.0, 3.0), id=1),)
    points = [{"position": [-1, -2, 3]}]
    markups = tmp_path / "points.mrk.json"
    markups.write_text(
        json.dumps({"markups": [{"type": "Fiducial", "coordinateSystem": "RAS", "controlPoints": points}]})
    )
    assert read_given(markups) == (GivenCandidate((1.0, 2.0, 3.0), id=1),)


def save_result_of_ours(folder, result=RESULT):
    folder.mkdir(exist_ok=True)
    path = folder / "candidates.json"
    path.write_text(json.dumps(result_document(result)))
    return path


def test_a_result_brings_ids_scores_and_spheres_of_the_same_volume(tmp_path):
    given = read_given(save_result_of_ours(tmp_path / "out"))
    assert [(one.id, one.score) for one in given] == [(c.id, c.score) for c in RESULT.candidates]
    assert [one.centre_lps_mm for one in given] == [c.centroid_lps_mm for c in RESULT.candidates]
    assert [one.radius_mm for one in given] == pytest.approx([7.0, 4.0, 3.0, 2.5, 2.5, 3.0])
    assert all(one.outline is None for one in given)


def test_a_whole_result_brings_its_outlines(tmp_path):
    path = save_result_of_ours(tmp_path / "out")
    write_volume(RESULT.candidate_map, path.parent / "candidates.nii.gz")
    given = read_given(path)
    for one in given:
        voxels = np.count_nonzero(RESULT.candidate_map.array == one.id)
        assert (0 if one.outline is None else np.count_nonzero(one.outline.array)) == voxels


def test_outlines_of_another_result_are_refused(tmp_path):
    path = save_result_of_ours(tmp_path / "out", replace(RESULT, candidates=RESULT.candidates[:1]))
    write_volume(RESULT.candidate_map, path.parent / "candidates.nii.gz")
    with pytest.raises(CasesError, match="different results"):
        read_given(path)


@pytest.mark.parametrize(
    "name", ["none.nii.gz", "none.csv", "none.json", "text.nii.gz", "text.json", "x.csv", "half.nii"]
)
def test_files_that_cannot_be_used_are_refused(tmp_path, name):
    (tmp_path / "text.nii.gz").write_text("no image")
    (tmp_path / "text.json").write_text('{"a": 1}')
    (tmp_path / "x.csv").write_text("x,y,z\n1,2,3\n")
    write_volume(Volume(np.full((3, 3, 3), 0.5, np.float32), replace(GRID, shape_zyx=(3, 3, 3))), tmp_path / "half.nii")
    with pytest.raises(MTANNError, match=r"no image at|cannot be read|NIfTI|no candidates|coordinate|no label map"):
        read_given(tmp_path / name)


def test_no_candidates_are_no_error(tmp_path):
    (tmp_path / "a.csv").write_text("x_lps_mm,y_lps_mm,z_lps_mm\n")
    assert read_given(tmp_path / "a.csv") == ()
    assert read_given(label_map(tmp_path / "a.nii.gz", np.zeros(GRID.shape_zyx, np.uint8))) == ()
    assert read_given(save_result_of_ours(tmp_path / "out", replace(RESULT, candidates=()))) == ()


def test_the_hash_tells_every_difference():
    one = GivenCandidate((1.0, 2.0, 3.0), 4.0, score=0.5, id=1)
    outline = Volume(np.ones((1, 1, 1), np.uint8), replace(GRID, shape_zyx=(1, 1, 1)))
    others = [
        replace(one, centre_lps_mm=(1.0, 2.0, 3.5)),
        replace(one, radius_mm=None),
        replace(one, outline=outline),
        replace(one, score=None),
        replace(one, id=2),
    ]
    assert len({hash_given([other]) for other in (one, *others)} | {hash_given([]), hash_given([one, one])}) == 8
    assert hash_given([one]) == hash_given([replace(one)])
