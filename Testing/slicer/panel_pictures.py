"""Pictures of the panel in each of its states, light and dark, made without a screen.

``python Testing/dev.py screenshots`` runs this and ``render_screenshot.py``. The panel is the real one on a real scene,
with Slicer's widgets stood in for; what it shows is made up, but for the texts.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "MTANNDetect" / "Resources" / "Screenshots"
WIDTH = 400
STATES = ("start", "ready", "running", "failure", "findings", "review", "teach")
DEMO_MODEL = "head-phantom-t1c"
COMMITTED = ("panel-ready-light", "panel-findings-light", "panel-findings-dark", "panel-teach-light")


def main(arguments: list[str]) -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--all", action="store_true", help="every state in both styles, not only those that are shown")
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    # Slicer's package would take this script's folder for a part of itself if the folder's parent were on the path.
    sys.path[:0] = [str(ROOT / "MTANNDetect"), str(Path(__file__).parent)]
    from standins.install import install

    install()
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    chosen.output.mkdir(parents=True, exist_ok=True)
    for style in ("light", "dark"):
        setStyle(application, style)
        for state in STATES:
            name = f"panel-{state}-{style}"
            if chosen.all or name in COMMITTED:
                picture(state).save(str(chosen.output / f"{name}.png"))


def setStyle(application, style: str) -> None:
    """Slicer's light and dark styles are Qt's Fusion with these colours."""
    from PySide6.QtGui import QColor, QPalette

    application.setStyle("Fusion")
    light = {"Window": "#efefef", "Base": "#ffffff", "Button": "#e4e4e4", "Text": "#000000", "Mid": "#b8b8b8"}
    dark = {"Window": "#353535", "Base": "#232323", "Button": "#454545", "Text": "#ffffff", "Mid": "#282828"}
    colours = light if style == "light" else dark
    palette = QPalette(QColor(colours["Button"]), QColor(colours["Window"]))
    for role in ("WindowText", "Text", "ButtonText", "ToolTipText"):
        palette.setColor(getattr(QPalette.ColorRole, role), QColor(colours["Text"]))
    palette.setColor(QPalette.ColorRole.Base, QColor(colours["Base"]))
    alternate = "#f4f6f8" if style == "light" else "#2b2b2b"
    palette.setColor(QPalette.ColorRole.AlternateBase, QColor(alternate))
    palette.setColor(QPalette.ColorRole.Highlight, QColor("#2a6fb0"))
    palette.setColor(QPalette.ColorRole.HighlightedText, QColor("#ffffff"))
    palette.setColor(QPalette.ColorRole.PlaceholderText, QColor("#8a8a8a"))
    for role in ("WindowText", "Text", "ButtonText"):
        faint = "#8c8c8c" if style == "light" else "#8f8f8f"
        palette.setColor(QPalette.ColorGroup.Disabled, getattr(QPalette.ColorRole, role), QColor(faint))
    application.setPalette(palette)


def picture(state: str):
    """The panel in a state, as a QPixmap of its whole height."""
    from PySide6.QtWidgets import QApplication
    from standins.strict import plain

    panel = _PanelInState(state)
    root = plain(panel.panel.root)
    root.setFixedWidth(WIDTH)
    root.show()
    root.adjustSize()
    for _ in range(5):
        QApplication.instance().processEvents()
        root.resize(WIDTH, root.layout().totalHeightForWidth(WIDTH))
    shown = root.grab()
    root.hide()
    panel.close()
    return shown


class _PanelInState:
    """A panel on a scene of its own."""

    def __init__(self, state: str) -> None:
        import slicer
        from panels import Installer, Logic, Panel

        from mtann.errors import MissingPackageError

        self._patches: list[tuple[object, str, object]] = []
        self._logics: list[object] = []
        self._scene = _scene(self._logics)
        self.setattr(slicer, "mrmlScene", self._scene)
        models = Logic()
        if state == "start":
            models.listed = MissingPackageError("The models cannot be read before the packages above are installed.")
        else:
            models.listed = _models()
        rates = {"mtann/head-phantom-t1c/auto": 2.6}
        missing = (
            "MTANNDetect needs Python packages that are not installed yet: PyTorch, pydantic, safetensors. "
            "Press 'Install' to download and install them; you are asked before anything happens."
        )
        made = Panel(self, models, rates, installer=Installer(missing if state == "start" else ""))
        self.panel, self.ui = made.panel, made.ui
        if state != "start":
            _STEPS[state](made)

    def setattr(self, target: object, name: str, value: object, raising: bool = True) -> None:
        """What pytest's monkeypatch does."""
        self._patches.append((target, name, getattr(target, name, None)))
        setattr(target, name, value)

    def close(self) -> None:
        """Put everything back."""
        self.panel.cleanup()
        self._scene.Clear(1)
        for target, name, value in reversed(self._patches):
            setattr(target, name, value)


def _scene(kept):
    import slicer

    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()
    kept.append(application)
    for name in ("vtkSlicerVolumesLogic", "vtkSlicerSegmentationsModuleLogic", "vtkSlicerMarkupsLogic"):
        logic = getattr(slicer, name)()
        logic.SetMRMLScene(scene)
        logic.SetMRMLApplicationLogic(application)
        kept.append(logic)
    return scene


def _models():
    from mtann.models.catalogue import BUNDLED
    from MTANNDetectLib.Models import modelIn
    from MTANNDetectLib.Presenters.ModelsPresenter import BUNDLED as ORIGIN

    return tuple(modelIn(folder, ORIGIN) for folder in sorted(BUNDLED.iterdir()) if folder.is_dir())


def _head():
    """Noise as large as a head."""
    from mtann.geometry import Geometry
    from mtann.volume import Volume
    from MTANNDetectLib.VolumeAdapter import nodeFromVolume

    geometry = Geometry((78, 96, 80), (1.9, 1.9, 1.9), (-76.0, -92.0, -66.0))
    rng = np.random.default_rng(1)
    return nodeFromVolume(Volume(rng.normal(300, 30, geometry.shape_zyx).astype(np.float32), geometry), "T1c head")


def _ready(panel) -> None:
    panel.ui.channelSelector0.setCurrentNode(_head())


def _running(panel) -> None:
    _ready(panel)
    panel.press("runButton")
    panel.panel.run.controller._clock = _Clock()
    panel.runner.report(0.42, "Scanning the image")


class _Clock:
    def inWords(self, _now: float, _fraction: float, message: str) -> str:
        return f"{message}, about 9 s left"


def _failure(panel) -> None:
    from MTANNDetectLib.Presenters.RunPresenter import Failure

    _ready(panel)
    panel.press("runButton")
    lines = ("RuntimeError: CUDA out of memory.", "Tried to allocate 2.40 GiB (GPU 0; 7.79 GiB total capacity).")
    remedy = "Use smaller tiles, compute on the CPU, or close other programs."
    panel.runner.listener.failed(Failure("Memory ran out while scanning.", remedy, lines))


def _findings(panel) -> None:
    from mtann.models.catalogue import locate_model

    panel.panel.inputs.chooseModel(str(locate_model(DEMO_MODEL)))
    _ready(panel)
    panel.press("runButton")
    panel.runner.listener.finished(_result(panel.runner.jobs[-1]))
    for name in ("inputsSection", "runSection"):
        getattr(panel.ui, name).collapsed = True
    panel.select(2)


def _review(panel) -> None:
    _findings(panel)
    panel.select(1)
    panel.press("acceptButton")
    panel.press("acceptButton")
    panel.press("rejectButton")


def _teach(panel) -> None:
    _review(panel)
    panel.ui.resultsSection.collapsed = True
    panel.ui.teachSection.collapsed = False
    panel.ui.modelNameEdit.text = "metastases 2"


def _result(job):
    """A result with lesions at places that a brain has."""
    from dataclasses import replace

    from results import ball, make_result

    first = next(iter(job.volumes.values()))
    scores = (0.95, 0.93, 0.90, 0.89, 0.88, 0.87, 0.51)
    radii = (5.6, 8.0, 7.0, 3.9, 4.9, 3.1, 2.4)
    places = ((-25, -37, 43), (-42, 0, -25), (22, -16, 23), (30, -41, 9), (-24, -30, 44), (3, 18, -2), (-45, 4, 41))
    result = make_result(first.geometry, scores)
    labels = np.zeros(first.array.shape, np.uint16)
    likelihood = np.zeros(first.array.shape, np.float32)
    candidates = []
    for candidate, radius, place in zip(result.candidates, radii, places, strict=True):
        inside = ball(first.geometry, place, radius)
        labels[inside], likelihood[inside] = candidate.id, candidate.score
        size = {"axial_diameter_mm": 2 * radius + 0.5, "perpendicular_diameter_mm": 1.7 * radius}
        volume = 4.19 * radius**3
        candidates.append(
            replace(candidate, centroid_lps_mm=place, volume_mm3=volume, probability=None, **size, class_name="lesion")
        )
    return replace(
        result,
        likelihood=result.likelihood.with_array(likelihood),
        candidate_map=result.candidate_map.with_array(labels),
        candidates=tuple(candidates),
        model=replace(result.model, name=DEMO_MODEL, version="1.0.0"),
        warnings=(),
    )


_STEPS = {
    "ready": _ready,
    "running": _running,
    "failure": _failure,
    "findings": _findings,
    "review": _review,
    "teach": _teach,
}


if __name__ == "__main__":
    main(sys.argv[1:])
