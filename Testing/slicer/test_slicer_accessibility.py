"""Every control tells what it is and in which unit; the panel fits 400 pixels and reads in both styles."""

import ast
import re
from string import Formatter
from xml.etree import ElementTree

import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

import panel_pictures
from panels import UI_FILE, Panel
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel
from standins.module import MODULE_FOLDER
from standins.strict import plain

pytestmark = pytest.mark.slicer

TREE = ElementTree.parse(UI_FILE)
CONTROLS = {
    "QPushButton",
    "QToolButton",
    "QComboBox",
    "QLineEdit",
    "QDoubleSpinBox",
    "QTableWidget",
    "QListWidget",
    "QTextBrowser",
    "QPlainTextEdit",
    "QProgressBar",
    "qMRMLNodeComboBox",
    "ctkSliderWidget",
    "ctkCollapsibleButton",
}
UNITS = {
    "diameterBox": "mm",
    "landmarksSelector": "mm",
    "thresholdEdit": "no unit",
    "liveThresholdSlider": "no unit",
    "opacitySlider": "per cent",
    "progressBar": "per cent",
    "summaryLabel": "ml",
}
DEFECTS = "(Value|Type|Lookup|Attribute|Runtime)Error"
# Words of files and formats, and for developers, by the module that holds them: no user reads them as a sentence.
LIBRARY = MODULE_FOLDER / "MTANNDetectLib"
NO_SENTENCES = {
    "LabelAdapter.py": ("Segmentation category and type", "~^^~Anatomic codes"),
    "ResultAdapter.py": ("candidate map",),
    "SampleImages.py": ("PhantomHead lesions",),
    "SegmentationAdapter.py": ("Segmentation category and type",),
    "TableAdapter.py": ("",),
    "WorkerClient.py": ("worker input", "Stopped before it was sent."),
    "WorkerProcess.py": ("worker ",),
}


def _widgets():
    return [(element.get("class"), element.get("name"), element) for element in TREE.iter("widget")]


def _text(element, name):
    return element.findtext(f"property[@name='{name}']/string") or ""


def test_every_control_has_a_tool_tip():
    missing = [name for kind, name, element in _widgets() if kind in CONTROLS and not _text(element, "toolTip")]
    assert missing == []
    assert sum(kind in CONTROLS for kind, _name, _element in _widgets()) > 45


def test_tool_tips_are_words_said_plainly():
    tips = [_text(element, "toolTip") for kind, _name, element in _widgets() if kind in CONTROLS]
    assert [tip for tip in tips if not (tip[0].isupper() or tip[0] == "'") or tip[-1] not in ".)"] == []


@pytest.mark.parametrize(("name", "unit"), UNITS.items())
def test_numbers_tell_their_unit(name, unit):
    (element,) = [element for _kind, known, element in _widgets() if known == name]
    assert unit in _text(element, "toolTip")


def test_columns_tell_their_unit():
    tips = {_text(column, "text"): _text(column, "toolTip") for column in TREE.iter("column")}
    assert all(tips.values())
    assert "in mm" in tips["Ø mm"]
    assert "millilitres" in tips["ml"]


def test_every_label_of_a_row_is_tied_to_its_control():
    names = {name for _kind, name, _element in _widgets()}
    for kind, name, element in _widgets():
        if kind == "QLabel" and _text(element, "text").endswith(":"):
            buddy = element.findtext("property[@name='buddy']/cstring")
            assert buddy in names, f"{name} has no buddy"


@pytest.fixture
def panel(monkeypatch, scene):
    made = Panel(monkeypatch)
    yield made
    made.panel.cleanup()


def _isSeen(widget):
    """Whether a widget is shown, and its section open."""
    parent = widget.parentWidget()
    while parent is not None:
        if parent.property("collapsed"):
            return False
        parent = parent.parentWidget()
    return widget.isVisible()


@pytest.mark.parametrize("state", panel_pictures.STATES)
def test_the_panel_fits_400_pixels(state):
    """In each state, nothing asks for more width, and no label's text is cut off."""
    made = panel_pictures._PanelInState(state)
    root = plain(made.panel.root)
    assert root.minimumSizeHint().width() <= panel_pictures.WIDTH
    root.resize(panel_pictures.WIDTH, 1400)
    root.show()
    for _ in range(5):
        QApplication.instance().processEvents()
    widgets = [one for kind in (QAbstractButton, QLabel) for one in root.findChildren(kind) if _isSeen(one)]
    assert len(widgets) > 5
    for widget in widgets:
        right = widget.mapTo(root, widget.rect().topRight()).x()
        assert right < panel_pictures.WIDTH, f"{widget.objectName()} is cut off"
        if isinstance(widget, QLabel) and not widget.wordWrap():
            assert widget.width() >= widget.sizeHint().width(), f"{widget.objectName()}: '{widget.text()}' is cut off"
        if isinstance(widget, QLabel) and widget.wordWrap():
            assert widget.height() >= widget.heightForWidth(widget.width()), f"{widget.objectName()} is cut off"
    root.hide()
    made.close()


@pytest.mark.parametrize("style", ["light", "dark"])
def test_texts_stand_out_from_their_ground(style):
    """WCAG 2: contrast of 4.5 for texts, and 3 for those of controls that cannot be used."""
    application = QApplication.instance() or QApplication([])
    before = application.palette()
    panel_pictures.setStyle(application, style)
    palette = application.palette()
    application.setPalette(before)
    for text, ground in (("WindowText", "Window"), ("Text", "Base"), ("ButtonText", "Button")):
        pair = [palette.color(getattr(QPalette.ColorRole, role)) for role in (text, ground)]
        assert _contrast(*pair) >= 4.5
    pair = [palette.color(QPalette.ColorRole.HighlightedText), palette.color(QPalette.ColorRole.Highlight)]
    assert _contrast(*pair) >= 4.5


def test_the_ui_file_and_the_code_set_no_colours_of_their_own():
    """Colours come from the style, so that the panel reads in any."""
    assert "styleSheet" not in UI_FILE.read_text(encoding="utf-8")
    for path in (MODULE_FOLDER / "MTANNDetectLib" / "Panels").glob("*.py"):
        assert not re.search(r"styleSheet|QColor|QBrush|#[0-9a-f]{6}", path.read_text(encoding="utf-8")), path.name


def _contrast(one, other):
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour):
    parts = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour.getRgbF()[:3]]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _words_said_plainly(source):
    """All texts with a blank in them that do not go through the translation function, documentation left out."""
    tree = ast.parse(source)
    skipped = set()
    for node in ast.walk(tree):
        call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"
        documentation = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        # What is raised for developers alone; users get the library's errors.
        defect = isinstance(node, ast.Raise) and re.match(
            r"(Value|Type|Lookup|Attribute|Runtime)Error", ast.unparse(node.exc or node)
        )
        if call or documentation or defect:
            skipped |= {id(child) for child in ast.walk(node)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"[a-z]{3,} [a-z]", node.value)
        and id(node) not in skipped
    ]


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.py")), ids=lambda path: path.stem)
def test_what_the_module_says_goes_through_the_translation_function(path):
    source = path.read_text(encoding="utf-8")
    known = NO_SENTENCES.get(path.name, ())
    assert [text for text in _words_said_plainly(source) if not text.startswith(known)] == []


def test_the_names_that_are_filled_in_are_those_that_are_given():
    """A text whose fields differ from what is handed to it would fail only once it is shown."""
    count = 0
    for path in sorted(LIBRARY.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = _translatedTemplate(node)
            if text is not None:
                fields = {name for _before, name, _spec, _conversion in Formatter().parse(text) if name}
                assert fields == {keyword.arg for keyword in node.keywords}, f"{path.name}: {text}"
                count += 1
    assert count > 80


def _translatedTemplate(node):
    """The text of a call such as ``_("{count} found").format(count=3)``."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"):
        return None
    inner = node.func.value
    if not (isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "_"):
        return None
    return inner.args[0].value


def test_the_check_itself_finds_plain_words():
    assert _words_said_plainly('say(label, "some plain words")') == ["some plain words"]
    assert _words_said_plainly('say(label, _("some plain words"))') == []
    assert _words_said_plainly('def f():\n    return f"some plain words {x}"') == ["some plain words "]
    assert _words_said_plainly('x = "some plain words"') == ["some plain words"]
    assert (
        _words_said_plainly('"""some plain words"""\nx = _("some plain words")\nraise ValueError("some plain words")')
        == []
    )
