"""How long one move of the threshold and overlay sliders takes in the panel, with 100 candidates in a head.

The panel is the real one behind the stand-ins, on a real scene of 182x218x182 voxels without views: what views take to
draw is theirs. Each move changes which candidates count.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (182, 218, 182)
CANDIDATES = 100


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=50)
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    # Slicer's package would take the tests' folder for a part of itself if the folder's parent were on the path.
    sys.path[:0] = [str(ROOT / "MTANNDetect"), str(ROOT / "Testing" / "slicer")]
    import slicer.util  # noqa: F401  before the tests' folder is searched for it
    from standins.install import install

    install()
    panel, session = _reviewed()
    steps = {
        "threshold slider": lambda value: setattr(panel.ui.liveThresholdSlider, "value", value),
        "overlay slider": lambda value: setattr(panel.ui.opacitySlider, "value", 100 * value),
        "segments, once the slider rests": lambda _value: session.settle(),
    }
    values = np.random.default_rng(0).uniform(0.05, 0.95, chosen.moves)
    for name, step in steps.items():
        times = []
        for value in values:
            if name.startswith("segments"):
                session.setThreshold(float(value))
            begun = time.perf_counter()
            step(float(value))
            times.append(1000 * (time.perf_counter() - begun))
        print(
            f"{name:34} median {statistics.median(times):6.1f} ms, slowest {max(times):6.1f} ms of {len(times)} moves"
        )


def _reviewed():
    """The panel with a result of 100 candidates."""
    from panel_pictures import _PanelInState
    from results import make_candidate, make_result

    from mtann.geometry import Geometry
    from mtann.volume import Volume
    from MTANNDetectLib.ResultAdapter import nodesFromResult
    from MTANNDetectLib.VolumeAdapter import nodeFromVolume

    made = _PanelInState("ready")
    geometry = Geometry(SHAPE, (1.0, 1.0, 1.0), (-91.0, -109.0, -91.0))
    rng = np.random.default_rng(0)
    image = nodeFromVolume(Volume(rng.normal(300, 30, SHAPE).astype(np.float32), geometry), "head")
    scores = np.sort(rng.uniform(0.05, 0.95, CANDIDATES))[::-1]
    labels, likelihood = np.zeros(SHAPE, np.uint16), np.zeros(SHAPE, np.float32)
    candidates = []
    for number, score in enumerate(scores, start=1):
        corner = np.array([18 * ((number - 1) // 25), 40 * ((number - 1) // 5 % 5), 34 * ((number - 1) % 5)]) + 5
        box = tuple(slice(start, start + 8) for start in corner)
        labels[box], likelihood[box] = number, score
        centre = tuple(geometry.lps_from_index(corner + 3.5).tolist())
        candidates.append(make_candidate(number, centre, float(score), score >= 0.4))
    from dataclasses import replace

    small = Geometry((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    result = replace(
        make_result(small),
        likelihood=Volume(likelihood, geometry),
        candidate_map=Volume(labels, geometry),
        candidates=tuple(candidates),
    )
    made.panel.results.open(nodesFromResult(result, image).tableNode)
    _KEPT.append(made)
    return made.panel, made.panel.results.session


_KEPT: list[object] = []


if __name__ == "__main__":
    main(sys.argv[1:])
