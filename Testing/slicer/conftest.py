"""A real MRML scene for every test in this folder, without the application around it."""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest


def _import_slicer() -> None:
    """Import slicer-core while this folder's parent is off the path.

    slicer-core takes every folder called "slicer" on the path for a part of itself and imports all modules in it; the
    tests in this one would run as such.
    """
    parent = Path(__file__).resolve().parent.parent
    path = sys.path[:]
    sys.path[:] = [entry for entry in path if Path(entry or ".").resolve() != parent]
    try:
        with contextlib.suppress(ImportError):
            importlib.import_module("slicer")
    finally:
        sys.path[:] = path


_import_slicer()

NO_SLICER = "slicer-core is not installed (pip install slicer-core)"
_MODULE_LOGICS = (
    "vtkSlicerVolumesLogic",
    "vtkSlicerSegmentationsModuleLogic",
    "vtkSlicerSubjectHierarchyModuleLogic",
    "vtkSlicerMarkupsLogic",
    "vtkSlicerTablesLogic",
    "vtkSlicerTransformLogic",
)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """An empty scene as ``slicer.mrmlScene``, with the logics that register nodes, storage and conversion rules."""
    slicer = pytest.importorskip("slicer", reason=NO_SLICER)
    pytest.importorskip("slicer.util", reason=NO_SLICER)
    scene = slicer.vtkMRMLScene()
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()
    logics = [getattr(slicer, name)() for name in _MODULE_LOGICS]
    for logic in logics:
        logic.SetMRMLScene(scene)
        logic.SetMRMLApplicationLogic(application)
    yield scene
    scene.Clear(1)


@pytest.fixture
def oblique_image(scene: object) -> object:
    """An oblique, flipped, anisotropic volume node of random voxels."""
    import slicer.util

    rng = np.random.default_rng(5)
    array = rng.normal(100, 20, (18, 30, 26)).astype(np.float32)
    turn = rotation((0.2, -0.5, 0.8), 0.6)
    ijk_to_ras = np.eye(4)
    ijk_to_ras[:3, :3] = turn @ np.diag([-0.7, 0.9, 2.1])
    ijk_to_ras[:3, 3] = (12.5, -40.25, 7.75)
    return slicer.util.addVolumeFromArray(array, ijk_to_ras, "FLAIR")


def rotation(axis: tuple[float, float, float], angle: float) -> np.ndarray:
    """Rotation matrix about an axis (Rodrigues)."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def linear_transform(matrix: np.ndarray, name: str = "transform") -> object:
    """A linear transform node in the scene."""
    import slicer
    import slicer.util

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return node
