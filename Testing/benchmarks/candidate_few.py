"""Few training cases: share of unseen false positives removed, and of unseen lesions kept, by a threshold out of fold.

Three settings, each over three training samples and at least 200 unseen lesions and as many non-lesions:
`few` 5 lesions and 5 tubes; aim: at least 56 % removed with every lesion kept.
`kinds` 10 lesions and 10 non-lesions of each of five kinds; aim: at least 83 % removed with at least 98.3 % kept.
`experts` the same by several networks, one more for each kind, taught with all lesions and that kind alone; a candidate
is kept if every network keeps it (AND), each at its own threshold.

All is what a user gets: :func:`mtann.train` for candidate classification as it is set, on a place for each candidate
and no radius, and the scores of :func:`mtann.filter_candidates` on the unseen ones. The threshold is the operating
point `cautious`, on out-of-fold scores of the training candidates; what the lowest of so few lesions' scores would do
is shown beside it. Other training samples (`--first-seed`) and test candidates (`--test-seed`) are for development.

    python Testing/dev.py bench candidate_few [few] [kinds] [experts] [--seeds 3] [--test 200] [--folds 5]
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from candidate_auc import FIRST_TEST_SEED
from candidate_phantoms import NON_LESIONS, CandidatePhantom, Kind, auc, make_sample
from candidate_scores import Scores, classification_cases
from scipy.stats import binomtest

from mtann.detection.ask import ask_networks
from mtann.detection.combination import LogicalAnd
from mtann.detection.given import as_candidates, given_from
from mtann.models.bundle import ModelBundle
from mtann.preprocess.prepare import prepare
from mtann.sampling.lesions import Lesion
from mtann.sampling.radius import with_radii
from mtann.settings import TrainingSettings
from mtann.teach import train

SEEDS_APART = 1000
FIRST_SEED = 500_000
THRESHOLDS = {"cautious": "cautious", "lowest": "high_sensitivity"}
"""What thresholds are called here, and the operating points that they are."""


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
    """What a threshold does to unseen candidates: lesions kept, false positives removed, of how many; the AUC."""

    kept: int
    lesions: int
    removed: int
    others: int
    auc: float

    def __str__(self) -> str:
        return (
            f"{share(self.removed, self.others)} of false positives removed, {share(self.kept, self.lesions)} of "
            f"lesions kept, AUC {self.auc:.4f}"
        )


def share(count: int, total: int) -> str:
    """A share with its 95 % interval (Wilson)."""
    interval = binomtest(count, total).proportion_ci(method="wilson")
    return f"{count / total:.1%} ({interval.low:.1%} to {interval.high:.1%}; {count} of {total})"


def filtered(scores: Scores, lesion: npt.NDArray[np.bool_], threshold: float) -> Filtered:
    """Judge a threshold on unseen candidates; those that reach it are kept."""
    kept = scores >= threshold
    others = int(np.sum(~lesion))
    return Filtered(
        int(np.sum(kept[lesion])),
        int(np.sum(lesion)),
        int(np.sum(~kept[~lesion])),
        others,
        auc(scores[lesion], scores[~lesion]),
    )


def learn(sample: Sequence[CandidatePhantom], seed: int, **settings: Any) -> ModelBundle:
    """A model that tells the sample's lesions from its non-lesions, as the library teaches it."""
    training = TrainingSettings(task="classification", seed=seed, **settings)
    return train(classification_cases(sample), training=training, device="cpu")


def scored(model: ModelBundle, test: Sequence[CandidatePhantom]) -> Scores:
    """The scores that :func:`mtann.filter_candidates` gives unseen candidates, one an image, each a place alone.

    The likelihood of all the rest of the image, which takes most of its time, is left out.
    """
    card, networks = model.card, model.networks()
    scores = []
    for one in test:
        prepared = prepare([one.volume], card.inputs)
        given = with_radii(given_from([Lesion(one.centre_lps_mm)]), [one.volume])
        candidates = as_candidates(given, prepared.grid, card.training, card.class_name)
        scores.append(float(card.combination.apply(ask_networks(networks, prepared, candidates))[0]))
    return np.array(scores)


def thresholds_of(model: ModelBundle) -> dict[str, float]:
    """The model's thresholds that are compared."""
    points = {point.name: point.threshold for point in model.card.operating_points}
    return {name: points[point] for name, point in THRESHOLDS.items()}


def single_network(
    sample: Sequence[CandidatePhantom], test: Sequence[CandidatePhantom], seed: int, **settings: Any
) -> dict[str, tuple[float, Scores]]:
    """One MTANN against all non-lesions: by threshold's name, the threshold and the scores (n,) of the candidates."""
    model = learn(sample, seed, **settings)
    scores = scored(model, test)
    return {name: (threshold, scores) for name, threshold in thresholds_of(model).items()}


def several_experts(
    sample: Sequence[CandidatePhantom], test: Sequence[CandidatePhantom], seed: int, **settings: Any
) -> dict[str, tuple[float, Scores]]:
    """One MTANN against all non-lesions and one against each kind, combined by AND; as :func:`single_network`."""
    kinds = sorted({one.kind for one in sample if not one.is_lesion})
    models = [learn(sample, seed, **settings)]
    models += [learn([one for one in sample if one.is_lesion or one.kind == kind], seed, **settings) for kind in kinds]
    scores, thresholds = np.array([scored(model, test) for model in models]), [thresholds_of(one) for one in models]
    rules = {name: LogicalAnd(thresholds=tuple(own[name] for own in thresholds)) for name in THRESHOLDS}
    # At the single network's threshold this keeps what every network keeps at its own.
    return {name: (rule.thresholds[0], rule.apply(scores)) for name, rule in rules.items()}


def measure(name: str, setting: Setting, arguments: argparse.Namespace) -> bool:
    """Print what each training sample reaches; whether all of them together reach the aim."""
    test = make_sample(arguments.test_seed, arguments.test, arguments.test, setting.kinds)
    lesion = np.array([one.is_lesion for one in test])
    outcomes: dict[str, list[Filtered]] = {rule: [] for rule in THRESHOLDS}
    for seed in range(arguments.seeds):
        first = arguments.first_seed + SEEDS_APART * seed
        sample = make_sample(first, setting.lesions, setting.non_lesions, setting.kinds)
        start = time.perf_counter()
        way = several_experts if setting.experts else single_network
        for rule, (threshold, scores) in way(sample, test, seed, folds=arguments.folds).items():
            outcomes[rule].append(filtered(scores, lesion, threshold))
            print(f"{name}, sample {seed}, {rule} ({threshold:.3f}): {outcomes[rule][-1]}", flush=True)
            for kind in setting.kinds if len(setting.kinds) > 1 else ():
                of_kind = np.array([one.kind == kind for one in test])
                print(f"  {kind}: {share(int(np.sum(scores[of_kind] < threshold)), int(np.sum(of_kind)))} removed")
        print(f"  taught and asked in {time.perf_counter() - start:.0f} s", flush=True)
    good = {rule: judged(name, rule, setting, own) for rule, own in outcomes.items()}
    return good["cautious"]


def judged(name: str, rule: str, setting: Setting, outcomes: Sequence[Filtered]) -> bool:
    """Print the samples' outcomes together; whether they meet the aim."""
    removed, others, kept, lesions = (
        sum(getattr(one, field) for one in outcomes) for field in ("removed", "others", "kept", "lesions")
    )
    good = removed >= setting.least_removed * others and kept >= setting.least_kept * lesions
    print(
        f"{name}, {rule}, all samples: {share(removed, others)} removed (aim {setting.least_removed:.1%}), "
        f"{share(kept, lesions)} kept (aim {setting.least_kept:.1%}): {'met' if good else 'NOT MET'}",
        flush=True,
    )
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", default=[*SETTINGS], help="which to measure: few, kinds, experts")
    parser.add_argument("--seeds", type=int, default=3, help="training samples")
    parser.add_argument("--test", type=int, default=200, help="unseen lesions, and as many non-lesions")
    parser.add_argument("--folds", type=int, default=5, help="folds for the threshold")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help="where training samples begin")
    parser.add_argument("--test-seed", type=int, default=FIRST_TEST_SEED, help="where test candidates begin")
    arguments = parser.parse_args()
    if unknown := set(arguments.settings) - set(SETTINGS):
        parser.error(f"unknown setting {', '.join(sorted(unknown))}; there are {', '.join(SETTINGS)}")
    good = [measure(name, SETTINGS[name], arguments) for name in arguments.settings]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
