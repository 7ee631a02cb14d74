"""Slicer's own views show a result: the likelihood over the image, where it is."""

import numpy as np
import pytest

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

TILE = (240, 200)


def test_the_best_candidate_glows_in_the_middle_of_every_plane(monkeypatch, tmp_path):
    views = Views(TILE)
    monkeypatch.setattr(slicer, "mrmlScene", views.scene, raising=False)
    geometry = Geometry((24, 26, 28), (1.0, 1.0, 1.0), (3.0, 4.0, 5.0))
    rng = np.random.default_rng(1)
    image = nodeFromVolume(Volume(rng.normal(100, 5, geometry.shape_zyx).astype(np.float32), geometry), "image")
    views.show(image, nodesFromResult(make_result(geometry), image))
    views.write(tmp_path / "picture.png")
    picture = readPng(tmp_path / "picture.png").astype(int)
    assert picture.shape == (2 * TILE[1] + 4, 2 * TILE[0] + 4, 3)
    for top, left in ((0, 0), (TILE[1] + 4, 0), (TILE[1] + 4, TILE[0] + 4)):
        tile = picture[top : top + TILE[1], left : left + TILE[0]]
        warm = tile[..., 0] - tile[..., 2] > 60
        # The ball has a diameter of 5 mm; the shortest side of the volume, 24 mm, fills about the tile's height.
        assert warm.sum() > 200
        assert np.mean(np.ptp(tile.reshape(-1, 3), axis=1) < 10) > 0.3
