"""An MTANN as false-positive filter behind a frozen detector: gain in mean FROC sensitivity, with bootstrap interval.

Mean FROC sensitivity as in LUNA16: the mean of the sensitivities at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false alarms a case. A
case is a handful of candidate phantoms. The frozen detector scores them by multi-scale Laplacian of Gaussian (its own
mean has to lie within 0.6 to 0.9); the filter ranks the detector's candidates anew by the MTANN's score. Aim: a gain of
at least 0.014, its 95 % interval (cases drawn with replacement, 1,000 times) above 0.

    python Testing/dev.py bench candidate_froc [--training 10] [--test 60] [--dilations 1 2]
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from candidate_log import LogChoice, log_scores, responses
from candidate_phantoms import NON_LESIONS, CandidatePhantom, make_sample
from candidate_scores import Scores, score, scoring_sigma_mm, teach

from mtann.settings import preset

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
FIRST_TRAINING_SEED, FIRST_TEST_SEED = 700_000, 800_000
LESIONS_A_CASE, NON_LESIONS_A_CASE = 2, len(NON_LESIONS)
DETECTOR = LogChoice(first=0, last=6, power=1.5, peak=True)
"""Frozen. Not the choice that hindsight would make: a detector in use has no such thing."""
DETECTOR_RANGE, LEAST_GAIN = (0.6, 0.9), 0.014
DRAWS = 1000


def mean_froc(lesion_scores: Scores, alarm_scores: Scores, cases: int) -> float:
    """Mean over RATES of the greatest share of lesions that some threshold finds with at most that many alarms a case.

    A candidate is reported when its score is at least the threshold; thresholds between scores count, too.
    """
    alarms = np.sort(alarm_scores)[::-1]
    found = []
    for rate in RATES:
        allowed = int(rate * cases)
        found.append(1.0 if allowed >= len(alarms) else float(np.mean(lesion_scores > alarms[allowed])))
    return float(np.mean(found))


def bootstrap_gain(
    before: Scores, after: Scores, lesion: npt.NDArray[np.bool_], draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the gain in mean FROC sensitivity; rows of the arrays (cases, candidates) are drawn anew."""
    random = np.random.default_rng(seed)
    gains = []
    for _ in range(draws):
        rows = random.integers(len(before), size=len(before))
        is_lesion = lesion[rows]
        one, other = (
            mean_froc(scores[rows][is_lesion], scores[rows][~is_lesion], len(rows)) for scores in (before, after)
        )
        gains.append(other - one)
    low, high = np.percentile(gains, (2.5, 97.5))
    return float(low), float(high)


def make_cases(first_seed: int, count: int) -> list[CandidatePhantom]:
    """Candidates of ``count`` cases, one case after another: its lesions, then its non-lesions, one of each kind."""
    size = LESIONS_A_CASE + NON_LESIONS_A_CASE
    cases: list[CandidatePhantom] = []
    for number in range(count):
        cases += make_sample(first_seed + size * number, LESIONS_A_CASE, NON_LESIONS_A_CASE, NON_LESIONS)
    return cases


def by_case(values: Sequence[float] | npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    return np.asarray(values).reshape(-1, LESIONS_A_CASE + NON_LESIONS_A_CASE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--training", type=int, default=10, help="training cases")
    parser.add_argument("--test", type=int, default=60, help="test cases")
    parser.add_argument("--dilations", type=int, nargs="+", help="resolution levels; the preset's if none")
    arguments = parser.parse_args()
    test = make_cases(FIRST_TEST_SEED, arguments.test)
    lesion = by_case([one.is_lesion for one in test]).astype(bool)
    detector = by_case(log_scores(responses(test), DETECTOR))
    alone = mean_froc(detector[lesion], detector[~lesion], arguments.test)
    print(f"frozen detector alone: mean FROC sensitivity {alone:.3f} on {arguments.test} cases", flush=True)
    network, training = preset("default")
    if arguments.dilations:
        network = network.model_copy(update={"dilations": tuple(arguments.dilations)})
    sample = make_cases(FIRST_TRAINING_SEED, arguments.training)
    fitted = teach(sample, network, training)
    filtered = by_case(score(fitted, test, scoring_sigma_mm(sample, training)))
    gain = mean_froc(filtered[lesion], filtered[~lesion], arguments.test) - alone
    low, high = bootstrap_gain(detector, filtered, lesion)
    print(f"with the MTANN as filter: {alone + gain:.3f}, gain {gain:+.3f} (95 % interval {low:+.3f} to {high:+.3f})")
    good = DETECTOR_RANGE[0] <= alone <= DETECTOR_RANGE[1] and gain >= LEAST_GAIN and low > 0
    print("met" if good else "NOT MET")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
