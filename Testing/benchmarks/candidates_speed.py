"""A thousand candidates in a volume of 512x512x600: what they cost beyond one smoothing and one pass for peaks.

    python Testing/dev.py bench candidates_speed

Blobs of 3 to 12 mm stand on a lattice, so that every one of them is a candidate. ``--small`` is for tests.
"""

import sys
import time
from itertools import product

import numpy as np
from measuring import peak_mib, prepare_process, write_result
from scipy import ndimage

from mtann.detection.find import find_candidates
from mtann.detection.peaks import smooth_inside
from mtann.geometry import Geometry
from mtann.progress import Progress, Run
from mtann.settings import DetectionSettings

SHAPE_ZYX, EDGE = (600, 512, 512), 48
SMALL_ZYX = (96, 96, 96)
SCALE_MM = 2.0
MOST_S = 2.0


def blobs(shape: tuple[int, int, int]) -> tuple[np.ndarray, int]:
    """Gaussian blobs on a lattice, of several widths, and how many there are."""
    likelihood = np.zeros(shape, dtype=np.float32)
    centres = list(product(*(range(EDGE // 2, n - EDGE // 4, EDGE) for n in shape)))
    reach = 12
    steps = np.mgrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1]
    squared = (steps**2).sum(axis=0)
    for number, centre in enumerate(centres):
        sigma = 1.5 + number % 4 * 0.8
        place = tuple(slice(c - reach, c + reach + 1) for c in centre)
        likelihood[place] = (0.5 + 0.4 * (number % 7) / 7) * np.exp(-squared / (2 * sigma**2))
    return likelihood, len(centres)


class Stages:
    """When a run says what it does."""

    def __init__(self) -> None:
        self.moments: list[tuple[float, str]] = []

    def hear(self, progress: Progress) -> None:
        self.moments.append((time.perf_counter(), progress.message))


def main(arguments: list[str]) -> int:
    prepare_process()
    small = "--small" in arguments
    likelihood, count = blobs(SMALL_ZYX if small else SHAPE_ZYX)
    geometry = Geometry(likelihood.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    settings = DetectionSettings(scales_mm=(SCALE_MM,), max_candidates=2000)
    mask = np.ones(likelihood.shape, dtype=bool)
    start = time.perf_counter()
    smooth = smooth_inside(likelihood, np.full(3, SCALE_MM), Run())
    smoothing = time.perf_counter() - start
    start = time.perf_counter()
    ndimage.maximum_filter(smooth, size=3, mode="nearest")
    peaks = time.perf_counter() - start
    del smooth
    stages = Stages()
    start = time.perf_counter()
    _, labels, candidates = find_candidates(
        likelihood, geometry, mask, geometry, settings, "lesion", Run(progress=stages.hear)
    )
    total = time.perf_counter() - start
    outlining = next(moment for moment, message in stages.moments if message.startswith("Outlining"))
    beyond = start + total - outlining
    shape = "x".join(map(str, reversed(likelihood.shape)))
    print(
        f"{len(candidates)} candidates of {count} blobs in {shape}: {total:.1f} s in all, of which outlining and "
        f"measuring {beyond:.2f} s (aim: {MOST_S:g} s); one smoothing takes {smoothing:.1f} s, one pass for peaks "
        f"{peaks:.1f} s; peak memory {peak_mib():.0f} MiB"
    )
    if not small:
        figures = {"candidates": len(candidates), "beyond_s": beyond, "smoothing_s": smoothing, "peaks_s": peaks}
        write_result("candidates_speed", {**figures, "total_s": total, "peak_mib": peak_mib()})
    return int(len(candidates) != count or int(labels.max()) != count)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
