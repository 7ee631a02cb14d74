"""The real panel behind the stand-ins, with a made-up list of models and a runner that tests play by hand."""

import types
from pathlib import Path

import numpy as np
import slicer
import slicer.util
from PySide6.QtWidgets import QApplication
from results import make_result
from standins.module import MODULE_FOLDER, ScriptedLoadableModuleLogic
from standins.strict import plain
from standins.ui import loadUI

from mtann.detection.candidate import ModelReference
from mtann.progress import Progress
from mtann.segmentation.result import Segmentation, SegmentationSettings, SegmentedLabel
from mtann.volume import Volume
from MTANNDetectLib.Presenters.ModelsPresenter import OWN, ModelChoice, Point
from MTANNDetectLib.Widget import DetectPanel

UI_FILE = MODULE_FOLDER / "Resources" / "UI" / "MTANNDetect.ui"
POINTS = (
    Point("balanced", 0.4, 0.9, 0.8, "made-up cases"),
    Point("high_sensitivity", 0.2, 1.0, 3.0, "made-up cases"),
)
ONE = ModelChoice(
    "one",
    ("flair",),
    "finds one",
    Path("bundled", "one"),
    bodyPart="head",
    licence="Apache-2.0",
    card=("one 1.0.0: finds: lesion", "Taught on 5 lesions in 2 cases of 2 patients."),
    points=POINTS,
    canOutline=True,
    spacingMm=1.0,
)
TWO = ModelChoice("two", ("t1", "t1c"), "finds two", Path("mine", "two"), origin=OWN)
FIVE = ModelChoice("five", ("a", "b", "c", "d", "e"), "finds five", Path("bundled", "five"))


class Logic(ScriptedLoadableModuleLogic):
    """A list of models that can be added to and removed from."""

    def __init__(self, models=(ONE, TWO)):
        super().__init__()
        self.moduleName = "MTANNDetect"
        self.listed = models
        self.removed = []
        self.toAdd = None

    def models(self):
        if isinstance(self.listed, Exception):
            raise self.listed
        return self.listed

    def addModel(self, folder):
        if isinstance(self.toAdd, Exception):
            raise self.toAdd
        self.listed = (*self.listed, self.toAdd)
        return self.toAdd

    def removeModel(self, model):
        self.removed.append(model)
        self.listed = tuple(one for one in self.listed if one is not model)


class Runner:
    """Takes jobs, and says of them what a test wants it to."""

    def __init__(self):
        self.jobs = []
        self.listener = None
        self.cancels = 0
        self.closed = False
        self.known = ()
        self.loaded = []

    def load(self, model):
        self.loaded.append(model)

    def warmUp(self, ready, failed):
        self.warm = (ready, failed)

    def submit(self, job, listener):
        self.jobs.append(job)
        self.listener = listener

    def cancel(self):
        self.cancels += 1

    def devices(self):
        return self.known

    def close(self):
        self.closed = True

    def report(self, fraction, message="Scanning"):
        self.listener.progressed(Progress("scan", fraction, message))

    def detect(self, **changes):
        """End the job with a made-up result on its first image's grid."""
        first = next(iter(self.jobs[-1].volumes.values()))
        self.listener.finished(make_result(first.geometry, **changes))

    def outline(self):
        first = next(iter(self.jobs[-1].volumes.values()))
        labels = np.zeros(first.array.shape, np.uint8)
        labels[2:6, 3:9, 4:10] = 1
        volume = np.count_nonzero(labels) * first.geometry.voxel_volume_mm3
        self.listener.finished(
            Segmentation(
                Volume(labels, first.geometry),
                (SegmentedLabel("lesion", (1,), volume),),
                ModelReference("made-up", "1", ""),
                (),
                SegmentationSettings(),
                "the test",
            )
        )


class Missing:
    """What is missing, as the test says."""

    def __init__(self, text=""):
        self.text = text

    def __bool__(self):
        return bool(self.text)


class Installer:
    """Installs, or fails, as the test says."""

    def __init__(self, missing=""):
        self.missing = missing
        self.error = None
        self.installs = 0

    def whatIsMissing(self):
        return Missing(self.missing)

    def install(self, report=None):
        self.installs += 1
        report("Installing…")
        if self.error is not None:
            raise self.error
        self.missing = ""


class Panel:
    """The panel with what it was given.

    Attributes:
        shown: What the user was shown in windows.
        answer: What the user answers when asked.
        asked: What the user was asked.
    """

    def __init__(self, monkeypatch, logic=None, rates=None, runner=None, installer=None):
        self.shown, self.asked, self.answer = [], [], True
        application = QApplication.instance() or QApplication([])
        monkeypatch.setattr(slicer.util, "loadUI", loadUI)
        monkeypatch.setattr(slicer.util, "errorDisplay", self.shown.append)
        monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", self._ask)
        app = types.SimpleNamespace(processEvents=application.processEvents, connect=lambda signal, slot: True)
        monkeypatch.setattr(slicer, "app", app, raising=False)
        self.application = application
        self.logic, self.runner, self.rates = logic or Logic(), runner or Runner(), {} if rates is None else rates
        self.installer = installer or Installer()
        self.panel = DetectPanel(
            self.logic, UI_FILE, self.runner, self.logic.getParameterNode, self.installer, self.rates
        )
        self.ui = self.panel.ui

    def _ask(self, question):
        self.asked.append(question)
        return self.answer

    def press(self, name):
        """Press a button that can be pressed."""
        button = plain(getattr(self.ui, name))
        assert button.isEnabled(), f"{name} cannot be pressed"
        button.click()

    def isShown(self, name):
        """Whether a widget would be seen if the panel were."""
        return not plain(getattr(self.ui, name)).isHidden()

    def detected(self, image, **changes):
        """Run a detection on an image from the beginning to its end; gives the session under review."""
        self.ui.channelSelector0.setCurrentNode(image)
        self.press("runButton")
        self.runner.detect(**changes)
        return self.panel.results.session

    def rows(self):
        """What the table's visible rows say."""
        table = plain(self.ui.findingsTable)
        return [
            tuple(table.item(row, column).text() for column in range(table.columnCount()))
            for row in range(table.rowCount())
            if not table.isRowHidden(row)
        ]

    def select(self, *numbers):
        """Select the rows of these findings, as a user would."""
        table = plain(self.ui.findingsTable)
        table.clearSelection()
        for row in range(table.rowCount()):
            if int(table.item(row, 0).text()) in numbers:
                for column in range(table.columnCount()):
                    table.item(row, column).setSelected(True)
