"""The scripting tutorial: every block runs as it stands, one after another, and comes to what the text says."""

import importlib
import re
import sys
import types

import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed (pip install PySide6-Essentials)")

import slicer
import slicer.util
from standins.module import MODULE_FOLDER, scriptedLoadableModule

from mtann.volume import Volume
from MTANNDetectLib import SampleImages

pytestmark = [pytest.mark.slicer, pytest.mark.slow]

TEXT = (MODULE_FOLDER / "Resources" / "Tutorials" / "scripting.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)

# A part of the head with two of its lesions, so that the test takes no longer than it must.
START_ZYX, STOP_ZYX = (70, 38, 80), (106, 84, 110)


def cropped(volume):
    window = tuple(slice(*ends) for ends in zip(START_ZYX, STOP_ZYX, strict=True))
    return Volume(volume.array[window], volume.geometry.cropped(START_ZYX, STOP_ZYX), volume.name)


@pytest.fixture
def console(monkeypatch, scene):
    """The console's names, as they are in Slicer."""
    whole = SampleImages.sampleVolumes
    monkeypatch.setattr(
        SampleImages, "sampleVolumes", lambda phantom: {k: cropped(v) for k, v in whole(phantom).items()}
    )
    monkeypatch.setitem(sys.modules, "slicer.ScriptedLoadableModule", scriptedLoadableModule())
    monkeypatch.delitem(sys.modules, "MTANNDetect", raising=False)
    monkeypatch.setitem(sys.modules, "qt", types.ModuleType("qt"))
    monkeypatch.setitem(sys.modules, "ctk", types.ModuleType("ctk"))
    importlib.import_module("MTANNDetect")
    names = {"slicer": slicer}
    yield names
    if "logic" in names:
        names["logic"].closeWorker()


def test_the_tutorial_runs_as_it_stands(console, capsys):
    printed = []
    for block in BLOCKS:
        exec(compile(block, "scripting.md", "exec"), console)
        printed.append(capsys.readouterr().out)
    assert len(BLOCKS) == 11
    assert "head-phantom-t1c" in printed[0]
    found, sensitive, strict = console["found"].result, console["sensitive"].result, console["strict"].result
    assert len(strict.reported) <= len(found.reported) <= len(sensitive.reported)
    assert len(found.reported) >= 2
    assert console["job"].result.result.candidates == found.candidates
    assert "100%" in printed[4] + printed[5]
    assert f"{len(found.reported)} candidates" in printed[4] + printed[5]
    assert "cpu" in printed[6]
    given = sorted(one.given_id for one in console["scored"].result.candidates)
    assert given == list(range(1, 1 + console["points"].GetNumberOfControlPoints()))
    assert "Finds" in printed[8]
    assert len(console["mine"].result.reported) >= 1
    assert "1.1.0 Retrained from 'mine' 1.0.0" in printed[9]
