"""Segmentations in the scene: a segment a label, where they lie, their terms and colours, overlap, and nothing half."""

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

import slicer
import slicer.util
from nodes import node_like, put_under, rigid, scene_label_map

from mtann.detection.candidate import ModelReference
from mtann.errors import CasesError
from mtann.segmentation.colours import label_colour
from mtann.segmentation.result import Segmentation, SegmentationSettings, SegmentedLabel
from MTANNDetectLib import LabelAdapter, Logic
from MTANNDetectLib.Logic import DetectLogic
from MTANNDetectLib.VolumeAdapter import volumeFromNode

pytestmark = pytest.mark.slicer


def make(volume, regions=False, names=("edema", "enhancing tumor", "widget")):
    array = np.zeros(volume.array.shape, np.uint8)
    array[2:9, 4:20, 3:15] = 1
    array[4:7, 8:14, 5:10] = 2
    labels = []
    for value, name in enumerate(names, start=1):
        inside = array >= value if regions else array == value
        mask = volume.with_array(inside.astype(np.uint8)) if regions else None
        labels.append(SegmentedLabel(name, (value,), float(inside.sum()), mask))
    return Segmentation(
        volume.with_array(array), tuple(labels), ModelReference("m", "1", ""), (), SegmentationSettings(), "test",
        warnings=("look twice",),
    )  # fmt: skip


class Library:
    """Stands for mtann.segmentation.segment."""

    def __init__(self, regions=False):
        self.regions, self.arguments, self.meanwhile = regions, None, lambda: None

    def segment(self, volumes, model, settings, **options):
        self.arguments = (volumes, model, settings, options)
        self.meanwhile()
        return make(volumes[0], self.regions)


@pytest.fixture
def library(monkeypatch):
    made, real = Library(), Logic.libraryModule
    monkeypatch.setattr(
        Logic, "libraryModule", lambda name: made if name == "mtann.segmentation.segment" else real(name)
    )
    return made


def voxels(node, number, image):
    return scene_label_map(node, LabelAdapter.labelSegmentId(number), image)


def test_each_label_is_a_segment_at_its_place(oblique_image, library):
    found = DetectLogic().segment(oblique_image, "model")
    volumes, model, settings, options = library.arguments
    assert (model, settings, options["around"], options["mask"]) == ("model", None, None, None)
    array = make(volumes[0]).label_map.array
    np.testing.assert_array_equal(voxels(found.segmentationNode, 0, oblique_image), array == 1)
    np.testing.assert_array_equal(voxels(found.segmentationNode, 1, oblique_image), array == 2)
    assert found.segmentationNode.GetName() == "FLAIR segmentation"
    assert found.warnings == ("look twice",)


def test_known_names_have_their_terms_and_colours_and_others_distinct_ones(oblique_image, library):
    segmentation = DetectLogic().segment(oblique_image, "model").segmentationNode.GetSegmentation()
    segments = [segmentation.GetNthSegment(number) for number in range(segmentation.GetNumberOfSegments())]
    assert [segment.GetName() for segment in segments] == ["edema", "enhancing tumor", "widget"]
    assert "SCT^79654002^Edema" in segments[0].GetTerminology()
    assert "SCT^49755003^Morphologically Altered Structure" in segments[1].GetTerminology()
    assert "79654002" not in segments[2].GetTerminology()
    for number, segment in enumerate(segments):
        expected = np.array(label_colour(segment.GetName(), number)) / 255
        np.testing.assert_allclose(segment.GetColor(), expected, atol=1e-6)


def test_a_label_that_was_not_found_is_an_empty_segment(oblique_image, library):
    node = DetectLogic().segment(oblique_image, "model").segmentationNode
    assert list(node.GetSegmentation().GetSegmentIDs()) == ["label_1", "label_2", "label_3"]
    assert not np.any(voxels(node, 2, oblique_image))


def test_regions_overlap(oblique_image, library):
    library.regions = True
    node = DetectLogic().segment(oblique_image, "model").segmentationNode
    array = make(volumeFromNode(oblique_image)).label_map.array
    np.testing.assert_array_equal(voxels(node, 0, oblique_image), array >= 1)
    np.testing.assert_array_equal(voxels(node, 1, oblique_image), array >= 2)


def test_the_segmentation_stands_under_the_images_transform(oblique_image, library):
    transform = put_under(oblique_image, rigid((0, 1, 0), 0.4, (7, 8, 9)))
    node = DetectLogic().segment(oblique_image, "model").segmentationNode
    assert node.GetTransformNodeID() == transform.GetID()
    array = make(volumeFromNode(oblique_image)).label_map.array
    np.testing.assert_array_equal(voxels(node, 1, oblique_image), array == 2)


def test_places_to_look_around_are_taken_from_nodes(oblique_image, library):
    marks = np.zeros((18, 30, 26), np.uint8)
    marks[5:8, 9:12, 6:9] = 1
    DetectLogic().segment(oblique_image, "model", around=node_like(oblique_image, marks, "marks"))
    (place,) = library.arguments[3]["around"]
    volume = volumeFromNode(oblique_image)
    np.testing.assert_allclose(
        volume.geometry.index_from_lps(np.array([place.centre_lps_mm]))[0], (6, 10, 7), atol=1e-3
    )


def test_an_image_that_was_removed_meanwhile_and_a_failed_import_leave_nothing(oblique_image, library, monkeypatch):
    scene = slicer.mrmlScene
    before = scene.GetNumberOfNodes()
    monkeypatch.setattr(LabelAdapter, "updateNodeFromVolume", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        DetectLogic().segment(oblique_image, "model")
    assert scene.GetNumberOfNodes() == before
    library.meanwhile = lambda: scene.RemoveNode(oblique_image)
    with pytest.raises(CasesError, match="was removed from the scene"):
        DetectLogic().segment(oblique_image, "model")
