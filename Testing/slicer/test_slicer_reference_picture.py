"""Slice and 3-D views of a result against reference pictures, by a measure that forgives a renderer's small ways.

A picture is reduced to blocks of pixels, and each block to its mean colour. Antialiasing, a font, or a line one pixel
further change a block by a few grey levels; a missing overlay, outline or point changes many blocks by much more.
``python Testing/slicer/test_slicer_reference_picture.py`` makes the references anew: look at them before committing.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "MTANNDetect"), str(Path(__file__).parent)]

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("trame_slicer.core", reason="trame-slicer is not installed (pip install trame-slicer)")

import slicer
from results import make_result
from views import Views, readPng

from mtann.geometry import Geometry
from mtann.volume import Volume
from MTANNDetectLib.ResultAdapter import nodesFromResult
from MTANNDetectLib.VolumeAdapter import nodeFromVolume

pytestmark = [pytest.mark.slicer, pytest.mark.views]

REFERENCE = Path(__file__).parent / "reference-views.png"
TILE = (240, 200)
BLOCK = 10
CHANGED = 12.0
"""A block counts as changed where its mean colour is this many of 255 levels away."""
TOLERATED = 0.003
"""Share of blocks that may be changed where nothing is missing."""


def shown(views):
    """A picture of a made-up result, and its nodes."""
    slicer.mrmlScene = views.scene
    geometry = Geometry((24, 26, 28), (1.0, 1.0, 1.0), (3.0, 4.0, 5.0))
    # A body on black with two cubes of other greys, so that a shifted or mirrored image is seen.
    array = np.zeros(geometry.shape_zyx, np.float32)
    array[2:22, 2:24, 2:26] = 100
    array[3:9, 3:10, 4:12], array[14:21, 15:23, 16:25] = 60, 140
    image = nodeFromVolume(Volume(array, geometry), "image")
    found = nodesFromResult(make_result(geometry), image)
    views.show(image, found)
    return found


def blocks(picture):
    height, width = (size // BLOCK * BLOCK for size in picture.shape[:2])
    cut = picture[:height, :width].astype(float)
    return cut.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3).mean(axis=(1, 3))


def difference(one, other):
    """Share of blocks that are changed, 0 to 1."""
    return float(np.mean(np.abs(blocks(one) - blocks(other)).max(axis=-1) > CHANGED))


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """The picture as it should be, and with each part taken out."""
    folder = tmp_path_factory.mktemp("views")
    views = Views(TILE)
    before = getattr(slicer, "mrmlScene", None)
    found = shown(views)
    displays = {
        "outlines": found.segmentationNode.GetDisplayNode(),
        "points": found.markupsNode.GetDisplayNode(),
    }
    pictures = {}

    def take(name):
        views.write(folder / f"{name}.png")
        pictures[name] = readPng(folder / f"{name}.png")

    take("whole")
    for name, display in displays.items():
        display.SetVisibility(False)
        take(name)
        display.SetVisibility(True)
    found.likelihoodNode.GetDisplayNode().SetLowerThreshold(1.5)
    take("overlay")
    slicer.mrmlScene = before
    return pictures


def test_the_views_look_as_they_did(taken):
    assert difference(taken["whole"], readPng(REFERENCE)) <= TOLERATED


@pytest.mark.parametrize("part", ["overlay", "outlines", "points"])
def test_a_missing_part_is_noticed(taken, part):
    assert difference(taken[part], readPng(REFERENCE)) > 3 * TOLERATED


def test_the_measure_forgives_small_changes_only(taken):
    whole = taken["whole"].astype(int)
    noise = np.random.default_rng(0).integers(-20, 21, whole.shape)
    assert difference(np.clip(whole + noise, 0, 255), whole) == 0
    assert difference(whole[:, ::-1], whole) > 10 * TOLERATED


if __name__ == "__main__":
    one = Views(TILE)
    shown(one)
    one.write(REFERENCE)
