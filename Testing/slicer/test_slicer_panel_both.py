"""Detecting and outlining in one run: what the first step found stays, however the second one ends."""

import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

from panels import Panel

from MTANNDetectLib.Presenters.RunPresenter import Failure

pytestmark = pytest.mark.slicer


@pytest.fixture
def panel(monkeypatch, scene):
    made = Panel(monkeypatch)
    yield made
    made.panel.cleanup()


def test_a_failed_outline_keeps_what_was_detected_and_says_so(panel, oblique_image):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.ui.taskSelector.currentIndex = 2
    panel.press("runButton")
    panel.runner.detect()
    panel.runner.listener.failed(Failure("Memory ran out.", "Close other programs."))
    assert panel.ui.statusLabel.text.startswith("2 candidates reported")
    assert panel.ui.statusLabel.text.endswith("Memory ran out. Close other programs.")
    assert panel.rows()


def test_a_cancelled_outline_keeps_what_was_detected_and_says_so(panel, oblique_image):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.ui.taskSelector.currentIndex = 2
    panel.press("runButton")
    panel.runner.detect()
    panel.press("cancelButton")
    panel.runner.listener.cancelled()
    assert panel.ui.statusLabel.text.startswith("Cancelled. 2 candidates reported")
    assert panel.rows()
