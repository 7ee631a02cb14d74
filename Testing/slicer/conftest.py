"""A real MRML scene for every test in this folder, without the application around it."""

import contextlib
import importlib
import os
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


def _install_standins() -> None:
    """The parts of Slicer that are not in the wheel; without PySide6 the tests of the panel are skipped."""
    with contextlib.suppress(ImportError):
        from standins.install import install

        install()


_install_standins()

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
    import slicer

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
    from nodes import rigid

    rng = np.random.default_rng(5)
    array = rng.normal(100, 20, (18, 30, 26)).astype(np.float32)
    ijk_to_ras = rigid((0.2, -0.5, 0.8), 0.6, (12.5, -40.25, 7.75)) @ np.diag([-0.7, 0.9, 2.1, 1])
    return slicer.util.addVolumeFromArray(array, ijk_to_ras, "FLAIR")


@pytest.fixture
def staged_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients start the worker with made-up commands: see staged_worker.py."""
    from MTANNDetectLib import WorkerClient

    script = Path(__file__).resolve().parents[1] / "unit" / "worker" / "staged_worker.py"

    def command(folder: Path) -> list[str]:
        return [sys.executable, str(script), "worker", "--folder", str(folder), "--parent", str(os.getpid())]

    monkeypatch.setattr(WorkerClient, "workerCommand", command)


@pytest.fixture
def make_client(staged_workers: None, tmp_path: Path) -> Iterator[object]:
    """Makes clients of staged workers, and closes them."""
    from MTANNDetectLib.WorkerClient import WorkerClient

    made = []

    def make(folder: Path = tmp_path) -> WorkerClient:
        made.append(WorkerClient(folder))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: object) -> object:
    """A client of a staged worker."""
    return make_client()
