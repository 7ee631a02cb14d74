"""The logic: what it hands to the library, and what it does with the answer."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

import slicer
import slicer.util
from nodes import node_like, put_under, rigid
from results import make_result

from mtann import pipeline
from mtann.errors import CancelledError, CasesError, ImageError, MissingPackageError
from MTANNDetectLib import Logic
from MTANNDetectLib.Library import libraryModule
from MTANNDetectLib.Logic import DetectLogic, TrainingNodes, trainingCaseFromNodes
from MTANNDetectLib.Models import availableModels
from MTANNDetectLib.VolumeAdapter import volumeFromNode

pytestmark = pytest.mark.slicer

ROOT = Path(__file__).resolve().parents[2]


class Library:
    """Stands for mtann.pipeline, mtann.filtering and mtann.teach."""

    def __init__(self):
        self.arguments = None

    def detect(self, volumes, model, settings, **options):
        self.arguments = (volumes, model, settings, options)
        first = next(iter(volumes.values())) if isinstance(volumes, dict) else volumes[0]
        return make_result(first.geometry)

    def filter_candidates(self, volumes, model, candidates, **options):
        self.arguments = (volumes, model, candidates, options)
        return make_result(volumes[0].geometry)

    def train(self, cases, **options):
        self.arguments = (cases, options)
        return "bundle"


@pytest.fixture
def library(monkeypatch):
    made = Library()
    real = Logic.libraryModule
    fake = {"mtann.pipeline", "mtann.filtering", "mtann.teach"}
    monkeypatch.setattr(Logic, "libraryModule", lambda name: made if name in fake else real(name))
    return made


def test_nodes_in_order_are_handed_on_in_order(oblique_image, library):
    found = DetectLogic().detect(oblique_image, "demo", threshold=0.3, operatingPoint="sensitive", device="cpu")
    volumes, model, settings, options = library.arguments
    assert [volume.name for volume in volumes] == ["FLAIR"]
    assert (model, settings, options["threshold"], options["device"]) == ("demo", None, 0.3, "cpu")
    assert options["operating_point"] == "sensitive"
    assert found.markupsNode.GetNumberOfControlPoints() == 2


def test_without_a_choice_the_operating_point_is_the_librarys_own(oblique_image, library):
    DetectLogic().detect(oblique_image, "demo")
    own = inspect.signature(pipeline.detect).parameters["operating_point"].default
    assert library.arguments[3]["operating_point"] == own


def test_the_examples_name_models_that_exist():
    named = re.findall(r'model="([^"]+)"', DetectLogic.detect.__doc__)
    assert named
    assert set(named) <= {model.name for model in availableModels()}


def test_models_bring_the_folder_that_detection_takes():
    for model in availableModels():
        assert (model.directory / "model.json").is_file()


def test_nodes_by_channel_keep_their_names_and_share_coordinates(oblique_image, library, scene):
    moved = node_like(oblique_image, slicer.util.arrayFromVolume(oblique_image), "T1", "vtkMRMLScalarVolumeNode")
    put_under(moved, rigid((1, 0, 0), 0, (4, 5, 6)))
    DetectLogic().detect({"flair": oblique_image, "t1": moved}, "demo")
    volumes = library.arguments[0]
    difference = np.subtract(volumes["t1"].geometry.origin_lps_mm, volumes["flair"].geometry.origin_lps_mm)
    assert np.allclose(difference, (-4, -5, 6))


def test_a_mask_is_handed_on(oblique_image, library):
    shape = slicer.util.arrayFromVolume(oblique_image).shape
    mask = slicer.util.addVolumeFromArray(np.ones(shape, np.uint8), None, "mask", "vtkMRMLLabelMapVolumeNode")
    DetectLogic().detect(oblique_image, "demo", mask=mask)
    assert library.arguments[3]["mask"].array.sum() == np.prod(shape)


def test_an_image_removed_during_the_run_drops_the_result(oblique_image, library, scene, monkeypatch):
    original = library.detect

    def detect(*args, **options):
        scene.RemoveNode(oblique_image)
        return original(*args, **options)

    library.detect = detect
    with pytest.raises(CasesError, match="'FLAIR' was removed"):
        DetectLogic().detect(oblique_image, "demo")
    assert scene.GetFirstNodeByName("FLAIR MTANN likelihood") is None


def test_cancelling_adds_nothing(oblique_image, library, scene):
    def detect(*args, **options):
        raise CancelledError("stopped")

    library.detect = detect
    before = scene.GetNumberOfNodes()
    with pytest.raises(CancelledError):
        DetectLogic().detect(oblique_image, "demo", cancelled=lambda: True)
    assert scene.GetNumberOfNodes() == before


def test_names_in_place_of_nodes_are_explained(scene):
    with pytest.raises(ImageError, match="getNode"):
        DetectLogic().detect("MRHead", "demo")
    with pytest.raises(ImageError, match="No volume"):
        DetectLogic().detect(None, "demo")


def point_list(scene, name, centres_lps_mm):
    points = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    for centre in centres_lps_mm:
        points.AddControlPoint((np.asarray(centre) * (-1, -1, 1)).tolist(), "")
    return points


def test_points_are_handed_on_as_candidates_in_the_images_coordinates(oblique_image, library, scene):
    transform = rigid((0, 0, 1), 0.3, (4, 5, 6))
    put_under(oblique_image, transform)
    volume = volumeFromNode(oblique_image)
    inside = volume.geometry.lps_from_index([(9, 15, 13), (4, 6, 8)])
    world_ras = (inside * (-1, -1, 1)) @ transform[:3, :3].T + transform[:3, 3]
    points = point_list(scene, "marks", world_ras * (-1, -1, 1))
    found = DetectLogic().filter(oblique_image, points, "mine", operatingPoint="sensitive", device="cpu")
    _volumes, model, candidates, options = library.arguments
    assert (model, options["operating_point"], options["source"], options["device"]) == (
        "mine",
        "sensitive",
        "marks",
        "cpu",
    )
    assert [(one.id, one.score, one.outline) for one in candidates] == [(1, None, None), (2, None, None)]
    np.testing.assert_allclose([one.centre_lps_mm for one in candidates], inside, atol=1e-5)
    assert found.markupsNode.GetNumberOfControlPoints() == 2


def test_labels_are_handed_on_as_candidates_with_their_voxels(oblique_image, library, scene):
    labels = np.zeros(slicer.util.arrayFromVolume(oblique_image).shape, np.uint8)
    labels[3:5, 4:6, 5:7] = 1
    labels[5:6, 4:6, 5:7] = 2  # It touches the first.
    node = node_like(oblique_image, labels, "seg")
    DetectLogic().filter(oblique_image, node, "mine")
    assert [one.outline.array.sum() for one in library.arguments[2]] == [12]
    DetectLogic().filter(oblique_image, node, "mine", keepInstances=True)
    assert [one.outline.array.sum() for one in library.arguments[2]] == [8, 4]
    with pytest.raises(CasesError, match="can mark no lesions"):
        DetectLogic().filter(oblique_image, put_under(oblique_image, np.eye(4)), "mine")


def test_training_cases_are_made_of_nodes(oblique_image, library, scene):
    geometry = volumeFromNode(oblique_image).geometry
    centre = geometry.lps_from_index((9, 15, 13))
    points = point_list(scene, "lesions", [centre])
    others = point_list(scene, "others", [geometry.lps_from_index((4, 6, 8))])
    nodes = TrainingNodes(oblique_image, points, patient="p1", nonLesions=others)
    case = trainingCaseFromNodes(nodes)
    assert np.allclose(case.non_lesions[0].centre_lps_mm, geometry.lps_from_index((4, 6, 8)), atol=1e-6)
    assert (case.case, case.patient) == ("FLAIR", "p1")
    assert np.allclose(case.lesions[0].centre_lps_mm, centre, atol=1e-6)
    assert case.channels[0].geometry == geometry
    assert (
        DetectLogic().train([nodes, TrainingNodes(oblique_image, None, case="b")], name="m", class_name="x") == "bundle"
    )
    cases, options = library.arguments
    assert [case.case for case in cases] == ["FLAIR", "b"]
    assert (options["name"], options["class_name"]) == ("m", "x")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("mtann.networks")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingPackageError, match="'torch'.*PyTorch extension"):
        libraryModule("mtann.networks.mtann")


def test_the_module_opens_where_only_slicers_own_packages_are(tmp_path):
    """In a fresh Slicer neither torch nor the other packages are installed yet."""
    library = ROOT / "MTANNDetect" / "MTANNDetectLib"
    paths = sorted(path for path in library.rglob("[A-Z]*.py"))
    names = [".".join(path.relative_to(library).with_suffix("").parts) for path in paths]
    code = (
        "import sys, importlib\n"
        # What Slicer itself brings and slicer-core has not.
        f"sys.path.append({str(ROOT / 'Testing' / 'slicer')!r})\n"
        "import slicer, slicer.util\n"
        "from standins.install import install\n"
        "install()\n"
        "for name in ('torch', 'pydantic', 'safetensors', 'matplotlib', 'jinja2', 'platformdirs', 'tqdm'):\n"
        "    sys.modules[name] = None\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module('MTANNDetectLib.' + name)\n"
        "from MTANNDetectLib.Models import availableModels\n"
        "from mtann.errors import MissingPackageError\n"
        "try:\n"
        "    availableModels()\n"
        "except MissingPackageError as error:\n"
        "    sys.stdout.write(str(error))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "MTANNDetect", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "needs the Python package" in done.stdout
