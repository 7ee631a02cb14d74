"""The stand-ins are as strict as PythonQt: each of its known manners, one test."""

import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

import qt
import slicer
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QListWidget, QPushButton, QTableWidget
from standins.parameters import parameterNodeWrapper
from standins.strict import Number, Strict, plain, strict
from standins.ui import loadUI
from standins.widgets import qMRMLNodeComboBox

pytestmark = pytest.mark.slicer

UI = """<ui version="4.0"><class>W</class><widget class="QWidget" name="W"><layout class="QVBoxLayout" name="l"><item>
{}</item></layout></widget></ui>"""


@pytest.fixture(autouse=True)
def application():
    return QApplication.instance() or QApplication([])


@pytest.mark.parametrize("name", ["text", "objectName", "size", "width", "toolTip", "enabled"])
def test_properties_hide_their_getters(name):
    edit = strict(QLineEdit("words"))
    value = getattr(edit, name)
    assert not callable(value)
    with pytest.raises(TypeError):
        value()


@pytest.mark.parametrize("name", ["currentText", "currentIndex", "count"])
def test_a_lists_properties_hide_their_getters_too(name):
    box = strict(QComboBox())
    with pytest.raises(TypeError):
        getattr(box, name)()


def test_methods_stay_methods():
    edit = strict(QLineEdit())
    edit.setText("a")
    assert (edit.text, edit.isReadOnly()) == ("a", False)
    assert edit.parent() is None


def test_keyword_arguments_raise():
    with pytest.raises(TypeError):
        strict(QLineEdit()).setText(text="a")
    with pytest.raises(TypeError):
        qt.QTimer(parent=None)
    with pytest.raises(TypeError):
        qt.QTableWidgetItem("a").setText(text="b")


def test_unknown_attributes_raise():
    edit, item = strict(QLineEdit()), qt.QTableWidgetItem("a")
    for wrong in (lambda: edit.textt, lambda: item.textt, lambda: edit._object_):
        with pytest.raises(AttributeError):
            wrong()
    for target in (edit, item):
        with pytest.raises(AttributeError):
            target.textt = 1


def test_a_property_refuses_what_it_cannot_hold():
    with pytest.raises(TypeError):
        strict(QComboBox()).maxVisibleItems = "many"


@pytest.mark.parametrize("signature", ["clicked", "klicked()", "clicked(int,int)"])
def test_a_wrong_signature_gives_false_and_a_line(signature, capsys):
    button = strict(QPushButton("a"))
    assert button.connect(signature, lambda: None) is False
    assert "no such signal" in capsys.readouterr().err


def test_signals_are_no_attributes():
    """There is no ``button.clicked.connect`` and no ``signal[type]``."""
    with pytest.raises(AttributeError):
        _ = strict(QPushButton("a")).clicked


def test_connecting_twice_fires_twice_and_slots_get_what_the_signature_says():
    heard = []
    button = strict(QPushButton("a"))
    for _ in range(2):
        assert button.connect("clicked()", lambda *given: heard.append(given))
    button.checkable = True
    assert button.connect("toggled(bool)", lambda *given: heard.append(given))
    plain(button).click()
    assert sorted(heard) == [(), (), (True,)]


def test_what_a_slot_raises_is_printed_and_dropped(capsys):
    def fail():
        raise KeyError("lost")

    button = strict(QPushButton("a"))
    button.connect("clicked()", fail)
    plain(button).click()
    assert "KeyError: 'lost'" in capsys.readouterr().err


def test_lists_come_back_as_tuples():
    table = QTableWidget(2, 1)
    table.setItem(0, 0, plain(qt.QTableWidgetItem("a")))
    table.selectAll()
    assert isinstance(strict(table).selectedItems(), tuple)
    assert isinstance(strict(["a", ["b"]])[1], tuple)


def test_enums_are_numbers():
    assert isinstance(qt.Qt.Checked, int)
    assert qt.Qt.Checked == 2
    assert isinstance(qt.Qt.AlignRight | qt.Qt.AlignVCenter, Number)
    item = qt.QListWidgetItem("a")
    item.setCheckState(qt.Qt.Checked)
    assert item.checkState() == qt.Qt.Checked
    assert strict(item.checkState()) == 2


def test_a_widgets_item_is_wrapped_however_it_is_got():
    widget = QListWidget()
    widget.addItem("a")
    with pytest.raises(AttributeError):
        _ = strict(widget).item(0).nothing


def test_what_slicers_qt_lacks_is_lacking():
    for absent in ("QtWidgets", "QtCore", "QSignalSpy", "QTest"):
        assert not hasattr(qt, absent)


def test_a_strict_object_is_no_widget_by_class():
    """``isinstance(edit, QWidget)`` is False in PythonQt: ``inherits`` is what works."""
    edit = strict(QLineEdit())
    assert isinstance(edit, Strict)
    assert not isinstance(edit, QLineEdit)
    assert edit.inherits("QWidget")


@pytest.mark.parametrize(
    ("inside", "complaint"),
    [
        ('<widget class="qMRMLNoSuchBox" name="a"/>', "unknown classes"),
        ('<widget class="QLabel" name="W"/>', "a name twice"),
        ('<widget class="QLabel" name="a"><property name="tooltip"><string>x</string></property></widget>', "no prop"),
        ('<widget class="QLabel" name="a"><property name="buddy"><cstring>gone</cstring></property></widget>', "gone"),
    ],
)
def test_a_faulty_ui_file_is_refused(tmp_path, inside, complaint):
    (tmp_path / "a.ui").write_text(UI.format(inside))
    with pytest.raises(RuntimeError, match=complaint):
        loadUI(str(tmp_path / "a.ui"))


def test_a_node_selector_takes_only_what_it_offers(scene, tmp_path):
    inside = (
        '<widget class="qMRMLNodeComboBox" name="box"><property name="nodeTypes"><stringlist><string>'
        "vtkMRMLTableNode</string></stringlist></property></widget>"
    )
    (tmp_path / "a.ui").write_text(UI.format(inside))
    root = loadUI(str(tmp_path / "a.ui"))
    box = plain(root).findChild(qMRMLNodeComboBox, "box")
    box.setMRMLScene(scene)
    box.addAttribute("vtkMRMLTableNode", "kind", "mine")
    table = scene.AddNewNodeByClass("vtkMRMLTableNode")
    with pytest.raises(RuntimeError, match="not offered"):
        box.setCurrentNode(table)
    table.SetAttribute("kind", "mine")
    box.setCurrentNode(table)
    assert box.currentNode() is table
    scene.RemoveNode(table)
    assert box.currentNode() is None


def test_parameters_are_typed(scene):
    class Choices:
        name: str
        size: float = 2.0
        table: slicer.vtkMRMLTableNode

    node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    kept = parameterNodeWrapper(Choices)(node)
    assert (kept.name, kept.size, kept.table) == ("", 2.0, None)
    kept.name, kept.size = "a", 3.0
    assert (node.GetParameter("name"), kept.size) == ("a", 3.0)
    for name, value in (("name", None), ("size", "3"), ("table", node)):
        with pytest.raises(TypeError):
            setattr(kept, name, value)
    with pytest.raises(AttributeError):
        kept.other = 1
    with pytest.raises(TypeError):
        parameterNodeWrapper(type("C", (), {"__annotations__": {"nodes": list}}))
    with pytest.raises(ValueError):
        parameterNodeWrapper(Choices)(None)
