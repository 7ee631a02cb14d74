"""Make a picture of a detection in Slicer's own views, off screen.

``python Testing/slicer/render_screenshot.py --model NAME`` detects on a phantom head with a bundled model and writes
``MTANNDetect/Resources/Screenshots/detect.png``: three slice planes through the best candidate with the likelihood over
the image, and the candidates in 3-D. ``--made-up`` draws a result made from the known truth in place of a detection, to
try the picture where there is no model.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "MTANNDetect" / "Resources" / "Screenshots" / "detect.png"
TILE_PIXELS = (640, 560)


def main(arguments: list[str]) -> None:
    """Detect, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="", help="name or folder of a model; by default the demonstration's")
    parser.add_argument("--seed", type=int, default=101, help="which phantom head")
    parser.add_argument("--made-up", action="store_true", help="draw the known truth in place of a detection")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    chosen = parser.parse_args(arguments)

    # Slicer's package would take this script's folder for a part of itself if the folder's parent were on the path.
    sys.path[:0] = [str(ROOT / "MTANNDetect"), str(Path(__file__).parent)]
    import slicer
    from views import Views

    views = Views(TILE_PIXELS)
    slicer.mrmlScene = views.scene
    from mtann.phantoms.head import head_phantom
    from MTANNDetectLib.VolumeAdapter import nodeFromVolume

    phantom = head_phantom(chosen.seed)
    image = nodeFromVolume(phantom.volume, "Phantom head")
    found = _made_up(phantom, image) if chosen.made_up else _detected(image, chosen.model)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    views.show(image, found)
    views.write(chosen.output)


def _detected(image, model: str):
    from MTANNDetectLib.Logic import DetectLogic

    logic = DetectLogic()
    return logic.detect(image, model or "head-phantom-t1c")


def _made_up(phantom, image):
    """A result as a good model would give it: the truth blurred, and one false alarm."""
    from results import make_candidate
    from scipy import ndimage

    from mtann.detection.candidate import DetectionResult, InputReference, ModelReference
    from mtann.settings import DetectionSettings
    from MTANNDetectLib.ResultAdapter import nodesFromResult

    geometry = phantom.volume.geometry
    labels = phantom.labels.array.astype(np.uint16)
    order = sorted(phantom.lesions, key=lambda lesion: -lesion.diameter_mm)
    scores = np.linspace(0.92, 0.48, len(order))
    likelihood = np.zeros(geometry.shape_zyx, np.float32)
    relabelled = np.zeros_like(labels)
    candidates = []
    for number, (lesion, score) in enumerate(zip(order, scores, strict=True), start=1):
        inside = labels == lesion.label
        blurred = ndimage.gaussian_filter(inside.astype(np.float32), max(0.8, lesion.diameter_mm / 8))
        likelihood = np.maximum(likelihood, float(score) * blurred / blurred.max())
        relabelled[inside] = number
        candidates.append(make_candidate(number, lesion.centre_lps_mm, float(score), True))
    result = DetectionResult(
        phantom.volume.with_array(likelihood),
        phantom.volume.with_array(relabelled),
        tuple(candidates),
        ModelReference("made-up", "1", ""),
        (InputReference("t1c", "phantom", ""),),
        DetectionSettings(),
        0.4,
        "made up",
    )
    return nodesFromResult(result, image)


if __name__ == "__main__":
    main(sys.argv[1:])
