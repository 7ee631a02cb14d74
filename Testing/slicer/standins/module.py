"""What ``slicer.ScriptedLoadableModule`` gives to the module file, as far as the module uses it."""

import types
import unittest
from pathlib import Path

from PySide6.QtWidgets import QVBoxLayout, QWidget

from .strict import strict

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "MTANNDetect"


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        self._parent = QWidget()
        self._parent.setLayout(QVBoxLayout())
        self.layout = strict(self._parent.layout())

    def setup(self):
        pass

    def resourcePath(self, filename):
        return str(MODULE_FOLDER / "Resources" / filename)


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        """The module's parameter node in the scene, made if it is not there."""
        import slicer

        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetAttribute("ModuleName", self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    pass


def scriptedLoadableModule() -> types.ModuleType:
    """The module to stand in ``sys.modules``."""
    module = types.ModuleType("slicer.ScriptedLoadableModule")
    for part in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    ):
        setattr(module, part.__name__, part)
    return module
