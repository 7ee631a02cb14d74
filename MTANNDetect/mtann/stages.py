"""Teaching the networks before the last one in a row.

What the next network sees of each case was answered as it would be in use: by a network of the cross-validation that
has not seen the case (stacked generalisation: Wolpert, Neural Networks 5:241, 1992). A case that no fold holds out is
answered by the network for use, which has learnt from it; the bundle says so. The next stage's networks of folds have
met their held-out cases only through answers on others.
"""

from collections.abc import Sequence

from mtann.fitting import Fitted, TaughtCase, TrainingPlan, fit_networks, sample_case
from mtann.progress import Run
from mtann.sampling.folds import Fold
from mtann.scanning import answered_by

_OWN_ANSWERS = (
    "{count} training case(s) are held out by no fold: what the last network saw of them was answered by networks that "
    "had learnt from them, so it may trust such answers too much. Give cases of more patients, or set 'stages' to 1."
)


def notes_on(earlier: Sequence[Fitted], taught: Sequence[TaughtCase], folds: Sequence[Fold]) -> tuple[str, ...]:
    """What a user of the model should know about how cases were answered for its last network."""
    count = len(taught) - sum(map(len, folds))
    return (_OWN_ANSWERS.format(count=count),) if earlier and count else ()


def teach_earlier(
    taught: Sequence[TaughtCase], folds: Sequence[Fold], plan: TrainingPlan, run: Run
) -> tuple[list[TaughtCase], tuple[Fitted, ...]]:
    """Train every network but the last one of a row.

    Args:
        taught: The cases, as the first network sees them.
        folds: Cases that each fold holds out.
        plan: How to train.
        run: Progress and cancellation.

    Returns:
        The cases as the last network sees them, and the networks before it, first to last.

    Raises:
        CancelledError: The user asked to stop.
    """
    cases, earlier = list(taught), list[Fitted]()
    count = plan.network.stages - 1
    for stage in range(count):
        part = run.part(stage / count, (stage + 1) / count)
        fitted = fit_networks(cases, folds, plan, part.part(0.0, 0.7))
        fold_of = {int(case): number for number, fold in enumerate(folds) for case in fold}
        for number, one in enumerate(cases):
            some = part.part(0.7 + 0.3 * number / len(cases), 0.7 + 0.3 * (number + 1) / len(cases))
            network = fitted.of_fold(fold_of.get(number))
            prepared = answered_by(network, one.prepared, plan.detection.tile_voxels, plan.computation, some)
            cases[number] = sample_case(one.case, prepared, plan, number)
        earlier.append(fitted)
    return cases, tuple(earlier)
