"""What each network gave to a candidate's combined score, or took from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtann.detection.combination import Combination, IntegrationNetwork, LogicalAnd, SingleNetwork

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Contribution:
    """One network's part in a combined score.

    Attributes:
        network: 0 for the single MTANN, k for expert k.
        score: What it said itself.
        reference: What its score is measured from: its threshold (AND), its mean score in training (mixture), or 0.
        change: What it gave (positive) or took (negative).
    """

    network: int
    score: float
    reference: float
    change: float


@dataclass(frozen=True)
class Contributions:
    """How a combined score came about; ``shared`` and all changes sum to ``combined``.

    Attributes:
        kind: How the networks are combined.
        combined: The candidate's score.
        shared: What no network accounts for alone; see :func:`contributions` for each kind.
        by_network: In the order of the networks.
        decisive: AND: the network whose margin over its threshold is the lowest, which is the score; else None.
    """

    kind: Literal["single", "and", "mixture"]
    combined: float
    shared: float
    by_network: tuple[Contribution, ...]
    decisive: int | None = None


def contributions(scores: Sequence[float], combination: Combination) -> Contributions:
    """Share out a combined score among the networks whose scores it was made from.

    * Single MTANN: it gives all of the score; ``shared`` is 0.
    * AND, min_k(s_k - t_k) + t_0: a network's change is the score less what it would be without that network. Only
      the decisive one, of the lowest margin s_k - t_k, changes anything: it takes the distance to the second lowest
      margin. ``shared`` is the score without it.
    * Mixture: a network's change is the score less what it would be if that network had said its mean of training
      (``reference``), the others as they are. ``shared`` is the rest: the score of a candidate about which every
      network says its mean, and what the networks do only together.

    Args:
        scores: The networks' own scores of one candidate, the single MTANN's first.
        combination: How they became one.

    Raises:
        ValueError: There are not as many scores as the combination takes.
    """
    own = np.array(scores, dtype=np.float64)
    if len(own) != combination.networks:
        raise ValueError(f"The combination takes {combination.networks} scores; found {len(own)}.")
    combined = float(combination.apply(own[:, None])[0])
    decisive = None
    if isinstance(combination, SingleNetwork):
        references, changes = np.zeros(1), own
    elif isinstance(combination, LogicalAnd):
        references = np.array(combination.thresholds)
        margins = own - references
        decisive = int(margins.argmin())
        changes = np.zeros(len(own))
        changes[decisive] = margins[decisive] - np.delete(margins, decisive).min()
    else:
        references = np.array(combination.mean)
        changes = combined - _each_at_its_mean(own, references, combination)
    by_network = tuple(
        Contribution(number, float(score), float(reference), float(change))
        for number, (score, reference, change) in enumerate(zip(own, references, changes, strict=True))
    )
    return Contributions(combination.kind, combined, combined - float(changes.sum()), by_network, decisive)


def _each_at_its_mean(own: FloatArray, mean: FloatArray, combination: IntegrationNetwork) -> FloatArray:
    """The combined score with one network after the other saying its mean (networks,)."""
    replaced = np.tile(own[:, None], (1, len(own)))
    np.fill_diagonal(replaced, mean)
    return combination.apply(replaced)
