"""How many head phantoms a tuned blob detector solves; the demonstration's model has to solve far more.

A phantom is solved when at least 7 of its 8 lesions are hit with at most 2 false alarms. Scales, normalisation and
threshold are tuned on training phantoms (seeds from 1000) for exactly this, then tried on seeds 0 to 19.

Run: ``python Testing/dev.py bench phantom_baseline [--training N] [--unseen N]``; ten minutes or so on two cores.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from log_detector import BlobFinder, LogSettings

from mtann.evaluation.matching import match_places
from mtann.phantoms.head import Phantom, head_phantom
from mtann.sampling.lesions import lesions_from_label_map

FIRST_TRAINING_SEED = 1000
LEAST_HITS = 7
MOST_FALSE_ALARMS = 2

GRID = [
    LogSettings(sigmas, power, flatten, suppress, erode)
    for sigmas, power, flatten, suppress, erode in product(
        [(0.9, 1.4, 2.1, 3.1, 4.4), (1.4, 2.1, 3.1), (2.1, 3.1, 4.4)],
        [2.0, 2.5],
        [True, False],
        [1.0, 1.6],
        [0.0, 3.0, 6.0],
    )
]


@dataclass(frozen=True)
class Verdict:
    """Strength of each lesion's best candidate, strongest first, and of each false alarm, strongest first."""

    hits: npt.NDArray[np.float64]
    false_alarms: npt.NDArray[np.float64]

    def at(self, threshold: float) -> tuple[int, int]:
        """Lesions hit and false alarms at a threshold."""
        return int(np.sum(self.hits >= threshold)), int(np.sum(self.false_alarms >= threshold))

    def solved(self, threshold: float) -> bool:
        hits, false_alarms = self.at(threshold)
        return hits >= LEAST_HITS and false_alarms <= MOST_FALSE_ALARMS


def judge(phantom: Phantom, centres_lps_mm: npt.ArrayLike, scores: npt.ArrayLike) -> Verdict:
    """Sort candidates into hits and false alarms by the library's hit criterion."""
    centres = np.asarray(centres_lps_mm, dtype=float).reshape(-1, 3)
    lesions = lesions_from_label_map(phantom.labels, keep_instances=True)
    outcome = match_places([tuple(centre) for centre in centres.tolist()], np.asarray(scores, float).tolist(), lesions)
    hits = [score for score in outcome.lesion_scores if np.isfinite(score)]
    return Verdict(np.array(sorted(hits, reverse=True)), np.array(sorted(outcome.false_alarm_scores, reverse=True)))


def verdicts(seeds: Iterable[int], grid: Sequence[LogSettings]) -> list[list[Verdict]]:
    """A verdict for each setting (outer) and seed (inner)."""
    table: list[list[Verdict]] = [[] for _ in grid]
    for seed in seeds:
        phantom = head_phantom(seed)
        finder = BlobFinder(phantom.volume)
        for row, settings in zip(table, grid, strict=True):
            blobs = finder.find(settings)
            row.append(judge(phantom, phantom.volume.geometry.lps_from_index(blobs.centres_zyx), blobs.responses))
    return table


def best_threshold(row: Sequence[Verdict]) -> tuple[int, float, float]:
    """Phantoms solved, total of hits less half the false alarms beyond two (to break ties), and the threshold."""
    steps = np.unique(np.concatenate([np.concatenate([v.hits, v.false_alarms]) for v in row]))

    def worth(threshold: float) -> tuple[int, float, float]:
        counts = [v.at(threshold) for v in row]
        ties = sum(min(h, LEAST_HITS) - 0.5 * max(f - MOST_FALSE_ALARMS, 0) for h, f in counts)
        return sum(v.solved(threshold) for v in row), float(ties), threshold

    return max(worth(float(t)) for t in steps)


def tune(training: int) -> tuple[LogSettings, float, int]:
    """Best settings and threshold on training phantoms, and how many of those they solve."""
    table = verdicts(range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + training), GRID)
    results = [best_threshold(row) for row in table]
    k = max(range(len(GRID)), key=lambda i: results[i])
    return GRID[k], results[k][2], results[k][0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--training", type=int, default=10, help="number of training phantoms")
    parser.add_argument("--unseen", type=int, default=20, help="number of unseen phantoms")
    arguments = parser.parse_args()
    settings, threshold, solved = tune(arguments.training)
    print(f"tuned on {arguments.training} phantoms, {solved} solved: {settings}, threshold {threshold:.3f}")
    row = verdicts(range(arguments.unseen), [settings])[0]
    for seed, verdict in enumerate(row):
        hits, false_alarms = verdict.at(threshold)
        remark = ", solved" if verdict.solved(threshold) else ""
        print(f"seed {seed:2d}: {hits} of 8 hit, {false_alarms} false alarms{remark}")
    print(f"{sum(v.solved(threshold) for v in row)} of {len(row)} solved")


if __name__ == "__main__":
    main()
