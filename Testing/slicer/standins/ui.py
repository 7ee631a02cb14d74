"""``slicer.util.loadUI`` on the real ``.ui`` file, failing where Qt would quietly make something else of it."""

from pathlib import Path
from xml.etree import ElementTree

from PySide6.QtCore import QBuffer, QByteArray, QObject
from PySide6.QtUiTools import QUiLoader

from .strict import Strict, strict
from .widgets import CUSTOM_WIDGETS


def loadUI(path: str) -> Strict:
    """Load a ``.ui`` file.

    Raises:
        RuntimeError: It is not there, or names a class, property, signal or slot that does not exist.
    """
    if not isinstance(path, str) or not Path(path).is_file():
        raise RuntimeError(f"Could not load UI file: file not found {path!r}")
    tree = ElementTree.parse(path)
    loader = QUiLoader()
    for widget in CUSTOM_WIDGETS:
        loader.registerCustomWidget(widget)
    known = set(loader.availableWidgets()) | {widget.__name__ for widget in CUSTOM_WIDGETS}
    names = [element.get("name") for element in tree.iter("widget")]
    unknown = {element.get("class") for element in tree.iter("widget")} - known
    if unknown or len(names) != len(set(names)):
        raise RuntimeError(f"The UI file has unknown classes {unknown} or a name twice.")
    # Connections are made below: their signatures are Slicer's, which PySide6 does not know.
    connections = tree.getroot().find("connections")
    links = [] if connections is None else list(connections)
    if connections is not None:
        tree.getroot().remove(connections)
    data = QBuffer()
    data.setData(QByteArray(ElementTree.tostring(tree.getroot())))
    root = loader.load(data)
    _checkProperties(tree, root)
    for link in links:
        _link(root, *(link.findtext(part) for part in ("sender", "signal", "receiver", "slot")))
    return strict(root)


def _find(root: QObject, name: str) -> QObject:
    found = root if root.objectName() == name else root.findChild(QObject, name)
    if found is None:
        raise RuntimeError(f"The UI file connects '{name}', which it does not hold.")
    return found


def _checkProperties(tree: ElementTree.ElementTree, root: QObject) -> None:
    for element in tree.iter("widget"):
        widget = _find(root, element.get("name"))
        if widget.metaObject().className() != element.get("class"):
            raise RuntimeError(f"'{element.get('name')}' became a {widget.metaObject().className()}.")
        for name in (item.get("name") for item in element.findall("property")):
            if name == "buddy":
                # No property of the class: the form builder looks the buddy up by its name.
                _find(root, element.findtext("property[@name='buddy']/cstring"))
            elif widget.metaObject().indexOfProperty(name) < 0:
                raise RuntimeError(f"{element.get('class')} has no property '{name}'.")


def _link(root: QObject, sender: str, signal: str, receiver: str, slot: str) -> None:
    source, target = _find(root, sender), _find(root, receiver)
    if signal not in type(source).SIGNALS or slot not in type(target).SLOTS:
        raise RuntimeError(f"{sender}.{signal} or {receiver}.{slot} does not exist.")
    getattr(source, signal.partition("(")[0]).connect(getattr(target, slot.partition("(")[0]))
