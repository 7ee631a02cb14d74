"""How many unseen head phantoms the demonstration model solves: at least 7 of 8 lesions, at most 2 false alarms.

The tuned Laplacian-of-Gaussian detector is scored by the same rule in ``phantom_baseline``.

    python Testing/dev.py bench demo_phantoms [--first 0] [--count 20]
"""

import argparse
import sys

from phantom_baseline import judge

from mtann.commands.demo import DEMO_MODEL
from mtann.models.catalogue import open_model
from mtann.phantoms.head import head_phantom
from mtann.pipeline import detect


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="first seed; the model was taught on seeds from 1000")
    parser.add_argument("--count", type=int, default=20, help="how many seeds")
    parser.add_argument("--model", default=DEMO_MODEL, help="another model, by name or folder")
    parser.add_argument("--least", type=float, default=0.9, help="share that has to be solved, for exit code 0")
    arguments = parser.parse_args()
    model = open_model(arguments.model)
    solved = lesions = alarms = 0
    for seed in range(arguments.first, arguments.first + arguments.count):
        phantom = head_phantom(seed)
        result = detect(phantom.volume, model, device="cpu")
        verdict = judge(
            phantom,
            [candidate.centroid_lps_mm for candidate in result.candidates],
            [candidate.score for candidate in result.candidates],
        )
        hits, false_alarms = verdict.at(result.threshold)
        solved += verdict.solved(result.threshold)
        lesions += hits
        alarms += false_alarms
        print(f"seed {seed:3d}: {hits} of {len(phantom.lesions)} lesions, {false_alarms} false alarms", flush=True)
    print(f"{solved} of {arguments.count} phantoms solved")
    print(f"{lesions} of {8 * arguments.count} lesions, {alarms / arguments.count:.2f} false alarms a phantom")
    return 0 if solved >= arguments.least * arguments.count else 1


if __name__ == "__main__":
    sys.exit(main())
