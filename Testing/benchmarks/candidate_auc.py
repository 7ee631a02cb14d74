"""Balls against tubes in noise: AUC out of sample of both presets, of one sample a case, and of the best LoG detector.

Aims: `historic` 0.85 to 0.90 and the LoG detector at most 0.85 (the phantoms' difficulty); `default` at least 0.98, and
at least 0.05 above the same network taught on one subvolume a case with as many gradient steps.

    python Testing/dev.py bench candidate_auc [--seeds 5] [--training 30] [--test 200] [--dilations 1 2]
"""

import argparse
import sys
import time

import numpy as np
from candidate_log import best_choice
from candidate_phantoms import auc, make_sample
from candidate_scores import score, scoring_sigma_mm, teach

from mtann.settings import preset

FIRST_TEST_SEED = 100_000
SEEDS_APART = 1000

HISTORIC_AIM, LOG_AIM, DEFAULT_AIM, DENSE_AIM = (0.85, 0.90), 0.85, 0.98, 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="training samples to average over")
    parser.add_argument("--training", type=int, default=30, help="training lesions, and as many non-lesions")
    parser.add_argument("--test", type=int, default=200, help="test lesions, and as many non-lesions")
    parser.add_argument("--dilations", type=int, nargs="+", help="resolution levels of `default`; the preset's if none")
    parser.add_argument("--historic-only", action="store_true", help="measure the phantoms' difficulty alone")
    arguments = parser.parse_args()
    test = make_sample(FIRST_TEST_SEED, arguments.test, arguments.test)
    choice, log_auc = best_choice(test)
    print(f"best Laplacian of Gaussian, chosen on the test itself: AUC {log_auc:.3f} ({choice})", flush=True)
    historic, (network, training) = preset("historic"), preset("default")
    if arguments.dilations:
        network = network.model_copy(update={"dilations": tuple(arguments.dilations)})
    # As many gradient steps as the preset takes with its mining rounds, which would add samples.
    steps = training.steps * (training.mining_rounds + 1)
    sparse = training.model_copy(update={"mining_rounds": 0, "steps": steps})
    runs = {"historic": (*historic, False)}
    if not arguments.historic_only:
        runs |= {"default": (network, training, False), "default, one sample a case": (network, sparse, True)}
    areas: dict[str, list[float]] = {name: [] for name in runs}
    for seed in range(arguments.seeds):
        sample = make_sample(SEEDS_APART * seed, arguments.training, arguments.training)
        for name, (shape, how, single) in runs.items():
            start = time.perf_counter()
            fitted = teach(sample, shape, how.model_copy(update={"seed": seed}), single)
            seconds = time.perf_counter() - start
            scores = score(fitted, test, scoring_sigma_mm(sample, how))
            areas[name].append(auc(scores[: arguments.test], scores[arguments.test :]))
            print(f"sample {seed}, {name}: AUC {areas[name][-1]:.3f}, taught in {seconds:.0f} s", flush=True)
    return judge({name: float(np.mean(values)) for name, values in areas.items()}, log_auc)


def judge(mean: dict[str, float], log_auc: float) -> int:
    """Print the means against the aims; 0 where all that were measured are met."""
    met = {
        f"LoG at most {LOG_AIM}": log_auc <= LOG_AIM,
        f"historic {HISTORIC_AIM[0]} to {HISTORIC_AIM[1]}": HISTORIC_AIM[0] <= mean["historic"] <= HISTORIC_AIM[1],
    }
    if "default" in mean:
        gain = mean["default"] - mean["default, one sample a case"]
        met[f"default at least {DEFAULT_AIM}"] = mean["default"] >= DEFAULT_AIM
        met[f"dense sampling at least {DENSE_AIM} better ({gain:+.3f})"] = gain >= DENSE_AIM
    for name, value in mean.items():
        print(f"mean AUC, {name}: {value:.3f}")
    for name, good in met.items():
        print(f"{'met' if good else 'NOT MET'}: {name}")
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
