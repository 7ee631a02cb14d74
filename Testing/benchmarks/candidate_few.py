"""Few training cases: share of unseen false positives removed, and of unseen lesions kept, by a threshold out of fold.

Three settings, each over three training samples and at least 200 unseen lesions and as many non-lesions:
`few` 5 lesions and 5 tubes; aim: at least 56 % removed with every lesion kept.
`kinds` 10 lesions and 10 non-lesions of each of five kinds; aim: at least 83 % removed with at least 98.3 % kept.
`experts` the same by several networks, one more for each kind, taught with all lesions and that kind alone; AND.

The threshold is the library's cautious one on out-of-fold scores of the training candidates: the lowest of so few
lesions' scores, shown beside it, is too high for one next lesion in n + 1.

    python Testing/dev.py bench candidate_few [few] [kinds] [experts] [--seeds 3] [--test 200] [--folds 5]
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from candidate_auc import FIRST_TEST_SEED
from candidate_phantoms import NON_LESIONS, CandidatePhantom, Kind, auc, make_sample
from candidate_scores import Scores, out_of_fold_scores, score, scoring_sigma_mm, teach

from mtann.detection.combination import LogicalAnd
from mtann.detection.few_lesions import cautious_threshold
from mtann.detection.operating_points import choose_operating_points
from mtann.settings import NetworkSettings, TrainingSettings, preset

SEEDS_APART = 1000
FIRST_SEED = 500_000


@dataclass(frozen=True)
class Setting:
    """How many to learn from, of which kinds, and what is to be reached."""

    lesions: int
    non_lesions: int
    kinds: tuple[Kind, ...]
    least_removed: float
    least_kept: float
    experts: bool = False


SETTINGS = {
    "few": Setting(5, 5, ("cylinder",), 0.56, 1.0),
    "kinds": Setting(10, 10 * len(NON_LESIONS), NON_LESIONS, 0.83, 0.983),
    "experts": Setting(10, 10 * len(NON_LESIONS), NON_LESIONS, 0.83, 0.983, experts=True),
}


@dataclass(frozen=True)
class Filtered:
    """What a threshold does to unseen candidates: share of lesions kept and of false positives removed; the AUC."""

    kept: float
    removed: float
    auc: float


def zero_loss_threshold(scores: Scores, lesion: npt.NDArray[np.bool_]) -> float:
    """The highest threshold that keeps every training lesion, halfway to the next score below."""
    points = choose_operating_points([list(scores[lesion])], [list(scores[~lesion])], "out-of-fold scores")
    return next(point.threshold for point in points if point.name == "high_sensitivity")


def filtered(scores: Scores, lesion: npt.NDArray[np.bool_], threshold: float) -> Filtered:
    """Judge a threshold on unseen candidates; those that reach it are kept."""
    kept = scores >= threshold
    return Filtered(float(np.mean(kept[lesion])), float(np.mean(~kept[~lesion])), auc(scores[lesion], scores[~lesion]))


def single_network(
    sample: Sequence[CandidatePhantom],
    test: Sequence[CandidatePhantom],
    network: NetworkSettings,
    training: TrainingSettings,
    folds: int,
) -> tuple[dict[str, float], Scores]:
    """One MTANN against all non-lesions: its thresholds, and its scores (n,) of the test candidates."""
    lesion = np.array([one.is_lesion for one in sample])
    unseen = out_of_fold_scores(sample, network, training, folds)
    thresholds = {
        "cautious": cautious_threshold(unseen[lesion].tolist(), unseen[~lesion].tolist()),
        "lowest": zero_loss_threshold(unseen, lesion),
    }
    fitted = teach(sample, network, training)
    return thresholds, score(fitted, test, scoring_sigma_mm(sample, training))


def several_experts(
    sample: Sequence[CandidatePhantom],
    test: Sequence[CandidatePhantom],
    network: NetworkSettings,
    training: TrainingSettings,
    folds: int,
) -> tuple[dict[str, float], Scores]:
    """One MTANN against all non-lesions and one against each kind, combined by AND; as :func:`single_network`.

    What is asked for a threshold is answered by networks that have not seen the candidate.
    """
    lesion = np.array([one.is_lesion for one in sample])
    kinds = sorted({one.kind for one in sample if not one.is_lesion})
    unseen, answers = [], []
    for taught in (lesion | True, *(lesion | np.array([one.kind == kind for one in sample]) for kind in kinds)):
        own = [one for one, is_taught in zip(sample, taught, strict=True) if is_taught]
        fitted, sigma = teach(own, network, training), scoring_sigma_mm(own, training)
        scores = np.empty(len(sample))
        scores[taught] = out_of_fold_scores(own, network, training, folds)
        if not taught.all():
            rest = [one for one, is_taught in zip(sample, taught, strict=True) if not is_taught]
            scores[~taught] = score(fitted, rest, sigma)
        unseen.append(scores)
        answers.append(score(fitted, test, sigma))
    rule = LogicalAnd(
        thresholds=tuple(cautious_threshold(row[lesion].tolist(), row[~lesion].tolist()) for row in unseen)
    )
    combined = rule.apply(np.array(unseen))
    thresholds = {
        "cautious": cautious_threshold(combined[lesion].tolist(), combined[~lesion].tolist()),
        "lowest": zero_loss_threshold(combined, lesion),
    }
    return thresholds, rule.apply(np.array(answers))


def measure(name: str, setting: Setting, arguments: argparse.Namespace) -> bool:
    """Print what each training sample reaches; whether the means reach the aim."""
    test = make_sample(FIRST_TEST_SEED, arguments.test, arguments.test, setting.kinds)
    lesion = np.array([one.is_lesion for one in test])
    network, training = preset("default")
    if arguments.dilations:
        network = network.model_copy(update={"dilations": tuple(arguments.dilations)})
    outcomes = []
    for seed in range(arguments.seeds):
        sample = make_sample(FIRST_SEED + SEEDS_APART * seed, setting.lesions, setting.non_lesions, setting.kinds)
        how = training.model_copy(update={"seed": seed})
        way = several_experts if setting.experts else single_network
        thresholds, scores = way(sample, test, network, how, arguments.folds)
        threshold = thresholds["cautious"]
        outcomes.append(filtered(scores, lesion, threshold))
        for rule, value in thresholds.items():
            outcome = filtered(scores, lesion, value)
            print(
                f"{name}, sample {seed}, {rule}: {outcome.removed:.1%} of {np.sum(~lesion)} false positives removed, "
                f"{outcome.kept:.1%} of {np.sum(lesion)} lesions kept, AUC {outcome.auc:.3f}, threshold {value:.3f}",
                flush=True,
            )
        for kind in setting.kinds if len(setting.kinds) > 1 else ():
            of_kind = np.array([one.kind == kind for one in test])
            print(f"  {kind}: {np.mean(scores[of_kind] < threshold):.1%} of {np.sum(of_kind)} removed")
    removed, kept = (float(np.mean([getattr(one, field) for one in outcomes])) for field in ("removed", "kept"))
    good = removed >= setting.least_removed and kept >= setting.least_kept
    print(
        f"{name}: mean {removed:.1%} removed (aim {setting.least_removed:.1%}), {kept:.1%} kept "
        f"(aim {setting.least_kept:.1%}): {'met' if good else 'NOT MET'}"
    )
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", default=[*SETTINGS], help="which to measure: few, kinds, experts")
    parser.add_argument("--seeds", type=int, default=3, help="training samples")
    parser.add_argument("--test", type=int, default=200, help="unseen lesions, and as many non-lesions")
    parser.add_argument("--folds", type=int, default=5, help="folds for the threshold")
    parser.add_argument("--dilations", type=int, nargs="+", help="resolution levels; the preset's if none")
    arguments = parser.parse_args()
    if unknown := set(arguments.settings) - set(SETTINGS):
        parser.error(f"unknown setting {', '.join(sorted(unknown))}; there are {', '.join(SETTINGS)}")
    good = [measure(name, SETTINGS[name], arguments) for name in arguments.settings]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
