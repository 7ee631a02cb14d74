"""The few widgets of Slicer and CTK that the panel uses, as far as it uses them, drawn so that pictures can be made."""

from typing import Any

from PySide6.QtCore import Property, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPalette, QPolygon
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

_HEADER_PIXELS = 26


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
    """Knows which nodes it offers; a node that has left the scene is chosen no more."""

    SIGNALS = ("currentNodeChanged(vtkMRMLNode*)",)
    SLOTS = ("setMRMLScene(vtkMRMLScene*)",)
    currentNodeChanged = Signal(object)
    nodeTypes = _stored("QStringList", "_types", [])
    showChildNodeTypes = _stored("bool", "_children", True)
    noneEnabled = _stored("bool", "_none", False)
    addEnabled = _stored("bool", "_add", True)
    removeEnabled = _stored("bool", "_remove", True)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._attributes: list[tuple[str, str, str]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self._node = None

    def addAttribute(self, kind: str, name: str, value: str = "") -> None:
        self._attributes.append((kind, name, value))

    def currentNode(self) -> Any:
        node = getattr(self, "_node", None)
        return node if node is not None and self._scene.IsNodePresent(node) else None

    def setCurrentNode(self, node: Any) -> None:
        if getattr(self, "_scene", None) is None:
            raise RuntimeError("a node was chosen before the scene was set")
        if node is not None and not self._takes(node):
            raise RuntimeError(f"{node.GetClassName()} is not offered by {self.objectName()}")
        if node is self.currentNode():
            return
        self._node = node
        self.update()
        self.currentNodeChanged.emit(node)

    def _takes(self, node: Any) -> bool:
        if any(node.IsA(kind) and node.GetAttribute(name) != value for kind, name, value in self._attributes):
            return False
        if self.property("showChildNodeTypes"):
            return any(node.IsA(kind) for kind in self.property("nodeTypes"))
        return node.GetClassName() in self.property("nodeTypes")

    def sizeHint(self) -> QSize:
        return QComboBox().sizeHint().expandedTo(QSize(80, 0))

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.sizeHint().height())

    def paintEvent(self, _event: Any) -> None:
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        option.initFrom(self)
        node = self.currentNode()
        words = node.GetName() if node else ("None" if self.property("noneEnabled") else "Select…")
        option.currentText = self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, self.width() - 30)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


class ctkCollapsibleButton(QWidget):
    """A heading with an arrow; what is below it is hidden while it is collapsed."""

    text = _stored("QString", "_text", "")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._collapsed = False
        self.setContentsMargins(0, _HEADER_PIXELS, 0, 0)

    def _get(self) -> bool:
        return self._collapsed

    def _put(self, value: bool) -> None:
        self._collapsed = value
        self.setMaximumHeight(_HEADER_PIXELS + 4 if value else 16777215)

    collapsed = Property("bool", _get, _put)

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(hint.width(), _HEADER_PIXELS + 4) if self._collapsed else hint

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        return QSize(hint.width(), _HEADER_PIXELS + 4) if self._collapsed else hint

    def paintEvent(self, _event: Any) -> None:
        painter = QPainter(self)
        bar = QRect(0, 2, self.width(), _HEADER_PIXELS - 6)
        painter.fillRect(bar, self.palette().color(QPalette.ColorRole.Button).darker(108))
        painter.setPen(self.palette().color(QPalette.ColorRole.ButtonText))
        painter.setBrush(self.palette().color(QPalette.ColorRole.ButtonText))
        middle = bar.center().y()
        corners = [(6, -4), (6, 4), (11, 0)] if self._collapsed else [(5, -3), (13, -3), (9, 3)]
        painter.drawPolygon(QPolygon([QPoint(x, middle + y) for x, y in corners]))
        painter.drawText(bar.adjusted(20, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self.__dict__.get("_text", ""))


class ctkSliderWidget(QWidget):
    """A slider with a number beside it."""

    SIGNALS = ("valueChanged(double)",)
    valueChanged = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider, self._box = QSlider(Qt.Orientation.Horizontal), QDoubleSpinBox()
        self._slider.setRange(0, 1000)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._box)
        self._box.valueChanged.connect(self._changed)

    def _changed(self, value: float) -> None:
        span = self._box.maximum() - self._box.minimum()
        self._slider.setValue(round(1000 * (value - self._box.minimum()) / span) if span else 0)
        self.valueChanged.emit(value)

    def _of(name: str, setter: str, kind: str = "double") -> Property:
        return Property(
            kind,
            lambda self: getattr(self._box, name)(),
            lambda self, value: getattr(self._box, setter)(value),
        )

    value = _of("value", "setValue")
    minimum = _of("minimum", "setMinimum")
    maximum = _of("maximum", "setMaximum")
    singleStep = _of("singleStep", "setSingleStep")
    decimals = _of("decimals", "setDecimals", "int")
    suffix = _of("suffix", "setSuffix", "QString")


CUSTOM_WIDGETS = (qMRMLWidget, qMRMLNodeComboBox, ctkCollapsibleButton, ctkSliderWidget)
