"""The whole way with the real library: train on nodes, detect on nodes, find lesions where they are in the world."""

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("torch", reason="torch is not installed")

import slicer
from ball_grids import GRIDS, SPHERES
from nodes import put_under, rigid, rotation

from mtann.geometry import Geometry
from mtann.phantoms.shapes import Sphere, sphere_phantom
from mtann.pipeline import detect
from mtann.settings import DetectionSettings, NetworkSettings, TrainingSettings
from mtann.volume_io import read_volume, write_volume
from MTANNDetectLib.Logic import DetectLogic, TrainingNodes
from MTANNDetectLib.Spaces import worldFromLocal
from MTANNDetectLib.VolumeAdapter import LABEL_MAP_CLASS, nodeFromVolume

pytestmark = [pytest.mark.slicer, pytest.mark.slow]

SPACING_MM = (1.0, 0.9, 1.4)
CENTRES = ((-12.0, 9.0, -8.0), (13.0, -6.0, 10.0), (2.0, 14.0, 12.0))
RADII_MM = (3.0, 4.0, 5.0)


def _geometry(direction):
    shape = (36, 56, 50)
    half = (np.array(shape[::-1]) - 1) / 2 * SPACING_MM
    return Geometry(shape, SPACING_MM, tuple((-direction @ half).tolist()), tuple(direction.ravel().tolist()))


def _phantom(direction, seed):
    spheres = [Sphere(centre, radius, 1.0) for centre, radius in zip(CENTRES, RADII_MM, strict=True)]
    return sphere_phantom(_geometry(direction), spheres, noise_sigma=0.05, seed=seed)


def _image_node(phantom, moved):
    """The phantom's image in the scene, on its own or under a parent transform."""
    image = nodeFromVolume(phantom.volume, "image")
    if moved:
        put_under(image, rigid((1.0, -0.4, 0.2), 0.7, (30, -20, 10)))
    return image


@pytest.fixture(scope="module")
def model(request):
    """A model that was taught, through nodes, to find bright balls."""
    slicer.mrmlScene = slicer.vtkMRMLScene()
    phantom = _phantom(np.eye(3), seed=1)
    image = nodeFromVolume(phantom.volume, "image")
    labels = nodeFromVolume(phantom.labels, "lesions", LABEL_MAP_CLASS)
    return DetectLogic().train(
        [TrainingNodes(image, labels, patient="p")],
        name="balls",
        channels=["image"],
        device="cpu",
        network=NetworkSettings(dilations=(1, 2), hidden=(12,)),
        training=TrainingSettings(steps=250, mining_rounds=0, folds=0, negatives_per_case=2000, batch_size=512),
        detection=DetectionSettings(tile_voxels=64),
    )


@pytest.mark.parametrize("moved", [False, True], ids=["in the world", "under a parent transform"])
@pytest.mark.parametrize("flipped", [False, True], ids=["oblique", "oblique and flipped"])
def test_lesions_are_found_where_they_are_in_the_world(scene, model, moved, flipped):
    direction = rotation((0.2, 0.3, 1.0), 0.25) @ np.diag([1.0, -1.0 if flipped else 1.0, 1.0])
    phantom = _phantom(direction, seed=2)
    image = _image_node(phantom, moved)
    found = DetectLogic().detect(image, model, threshold=0.0, device="cpu")
    world = slicer.util.arrayFromMarkupsControlPoints(found.markupsNode, world=True)
    expected = worldFromLocal(image, np.array(CENTRES) * (-1, -1, 1))
    nearest = np.linalg.norm(world[:, None] - expected[None], axis=-1).argmin(axis=0)
    offset_mm = np.linalg.norm(world[nearest] - expected, axis=1)
    assert offset_mm.max() <= max(SPACING_MM) / 2
    assert sorted(nearest.tolist()) == [0, 1, 2], "the three lesions are not the three best candidates"


@pytest.mark.parametrize("moved", [False, True], ids=["in the world", "under a parent transform"])
@pytest.mark.parametrize("grid", ["flipped", "permuted", "anisotropic and oblique", "one slice"])
def test_a_file_and_a_node_give_the_same_candidates(scene, model, tmp_path, grid, moved):
    phantom = sphere_phantom(GRIDS[grid], SPHERES, noise_sigma=0.03, seed=3)
    path = tmp_path / "image.nii.gz"
    write_volume(phantom.volume, path)
    by_file = detect(read_volume(path), model, device="cpu")
    image = _image_node(phantom, moved)
    found = DetectLogic().detect(image, model, device="cpu")
    assert by_file.reported
    world = slicer.util.arrayFromMarkupsControlPoints(found.markupsNode, world=True)
    expected = [np.array(candidate.centroid_lps_mm) * (-1, -1, 1) for candidate in by_file.reported]
    np.testing.assert_allclose(world, worldFromLocal(image, np.array(expected)), atol=1e-3)
