"""The few widgets of Slicer and CTK that the panel uses, as far as it uses them."""

from typing import Any

from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QTableView, QWidget


def _stored(kind: str, name: str, default: Any) -> Property:
    def get(self: Any) -> Any:
        return self.__dict__.get(name, default)

    def put(self: Any, value: Any) -> None:
        self.__dict__[name] = value

    return Property(kind, get, put)


class qMRMLWidget(QWidget):
    SIGNALS = ("mrmlSceneChanged(vtkMRMLScene*)",)
    SLOTS = ("setMRMLScene(vtkMRMLScene*)",)
    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene: Any) -> None:
        self.mrmlSceneChanged.emit(scene)


class qMRMLNodeComboBox(QWidget):
    SIGNALS = ("currentNodeChanged(vtkMRMLNode*)",)
    SLOTS = ("setMRMLScene(vtkMRMLScene*)",)
    currentNodeChanged = Signal(object)
    nodeTypes = _stored("QStringList", "_types", [])
    showChildNodeTypes = _stored("bool", "_children", True)
    noneEnabled = _stored("bool", "_none", False)
    addEnabled = _stored("bool", "_add", True)
    removeEnabled = _stored("bool", "_remove", True)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self._node = None

    def currentNode(self) -> Any:
        return getattr(self, "_node", None)

    def setCurrentNode(self, node: Any) -> None:
        if getattr(self, "_scene", None) is None:
            raise RuntimeError("a node was chosen before the scene was set")
        if node is not None and not self._takes(node):
            raise RuntimeError(f"{node.GetClassName()} is not offered by {self.objectName()}")
        self._node = node
        self.currentNodeChanged.emit(node)

    def _takes(self, node: Any) -> bool:
        if self.property("showChildNodeTypes"):
            return any(node.IsA(kind) for kind in self.property("nodeTypes"))
        return node.GetClassName() in self.property("nodeTypes")


class qMRMLTableView(QTableView):
    def setMRMLTableNode(self, node: Any) -> None:
        self._node = node

    def mrmlTableNode(self) -> Any:
        return getattr(self, "_node", None)


class ctkCollapsibleButton(QWidget):
    text = _stored("QString", "_text", "")
    collapsed = _stored("bool", "_collapsed", False)


CUSTOM_WIDGETS = (qMRMLWidget, qMRMLNodeComboBox, qMRMLTableView, ctkCollapsibleButton)
