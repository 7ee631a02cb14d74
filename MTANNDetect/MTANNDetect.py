"""The Slicer module MTANNDetect: shells of a few lines; the work is done in MTANNDetectLib and mtann."""

import sys
from pathlib import Path

import slicer
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

# Slicer has the module's folder on the path already; other ways of loading the file may not.
if str(Path(__file__).parent) not in sys.path:
    sys.path.append(str(Path(__file__).parent))

from MTANNDetectLib import Dependencies
from MTANNDetectLib.Logic import DetectLogic
from MTANNDetectLib.SampleImages import registerSampleData
from MTANNDetectLib.SelfTest import runSelfTest
from MTANNDetectLib.Widget import DetectPanel
from MTANNDetectLib.WorkerRunner import WorkerRunner


class MTANNDetect(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "MTANNDetect"
        parent.categories = ["Segmentation"]
        parent.dependencies = []
        parent.contributors = ["The MTANNDetect contributors"]
        parent.helpText = (
            "Finds lesions in medical images with massive-training artificial neural networks (MTANN): choose an image "
            "and a model, and get a likelihood volume, scored candidates and their outlines. "
            "Research software, not a medical device: every result must be reviewed by a qualified reader."
        )
        parent.acknowledgementText = "After Suzuki et al., Medical Physics 2003 and 2006."
        # Other modules' logics are there only once the application has started.
        slicer.app.connect("startupCompleted()", registerSampleData)


class MTANNDetectWidget(ScriptedLoadableModuleWidget):
    """The module's panel."""

    def setup(self):
        """Build the panel when the user opens the module for the first time."""
        super().setup()
        self.logic = MTANNDetectLogic()
        self.panel = DetectPanel(
            self.logic,
            self.resourcePath("UI/MTANNDetect.ui"),
            WorkerRunner(self.logic),
            self.logic.getParameterNode,
            Dependencies,
        )
        self.layout.addWidget(self.panel.root)

    def enter(self):
        """Look for new models whenever the user comes to the module, and start the worker."""
        self.panel.enter()

    def cleanup(self):
        """Leave nothing running when the module is closed or reloaded."""
        self.panel.cleanup()


class MTANNDetectLogic(DetectLogic, ScriptedLoadableModuleLogic):
    """Detection and training for scripts: ``from MTANNDetect import MTANNDetectLogic``."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)


class MTANNDetectTest(ScriptedLoadableModuleTest):
    """The test that runs inside Slicer (Reload and Test)."""

    def runTest(self):
        """Take a volume through the adapters and back in the running application."""
        runSelfTest(self)
