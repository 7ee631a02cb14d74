"""A threshold from a handful of scores, with a margin for what the next lesion may score.

The lowest of n lesions' scores is no safe threshold: the next lesion lies below it with probability 1 / (n + 1), which
for five is one in six. What the scores scatter by says how far below to go.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

COST_OF_A_LESION = 100.0
"""A lost lesion weighs as much as so many false alarms that are kept."""
_STEPS = 1000


def cautious_threshold(
    lesion_scores: Sequence[float], other_scores: Sequence[float], cost: float = COST_OF_A_LESION
) -> float:
    """The threshold of least expected loss: ``cost`` for a lost lesion, 1 for a false alarm that is kept.

    Lesions and others are expected to come in the same proportion as they did here: where a lesion comes with many
    false alarms, more is lost by keeping them.

    Both classes' next scores are predicted by Student's t distributions about their means, n - 1 degrees of freedom and
    scale s * sqrt(1 + 1 / n), as for a normal distribution of which only a sample of n is known. Sought between the
    others' mean, below which no filter is worth its name, and the lesions'.

    Raises:
        ValueError: A class has fewer than two scores, from which no scatter is known.
    """
    lesions, others = np.asarray(lesion_scores, dtype=np.float64), np.asarray(other_scores, dtype=np.float64)
    if min(len(lesions), len(others)) < 2:
        raise ValueError(f"At least two scores of each class are needed; found {len(lesions)} and {len(others)}.")
    tried = np.linspace(others.mean(), max(lesions.mean(), others.mean()), _STEPS)
    loss = len(lesions) * cost * _predicted(lesions).cdf(tried) + len(others) * _predicted(others).sf(tried)
    return float(tried[int(np.argmin(loss))])


def _predicted(scores: np.ndarray) -> stats.rv_continuous:
    n = len(scores)
    scale = max(float(scores.std(ddof=1)) * np.sqrt(1 + 1 / n), 1e-9)
    return stats.t(n - 1, scores.mean(), scale)
