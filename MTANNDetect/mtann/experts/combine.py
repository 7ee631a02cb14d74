"""Learning how to combine scores, on candidates that the networks had not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from mtann.detection.combination import Combination, IntegrationNetwork, LogicalAnd, SingleNetwork
from mtann.evaluation.froc import Froc, froc
from mtann.evaluation.matching import Match

FloatArray = npt.NDArray[np.float64]

FEW_LESIONS = 20
"""With fewer, an integration network would learn them by heart: the experts are combined by AND."""
_HIDDEN = 4
_WEIGHT_DECAY = 0.02


@dataclass(frozen=True)
class ScoredCase:
    """One case's candidates with every network's score.

    Attributes:
        fold: Which fold's networks scored it; None where there are no folds.
        scores: (networks, candidates).
        match: Which candidates lie on which lesions.
    """

    fold: int | None
    scores: FloatArray
    match: Match

    def lesion_scores(self, combined: FloatArray) -> list[float]:
        """The best combined score on each lesion; minus infinity where it was missed."""
        best = [-np.inf] * len(self.match.lesion_scores)
        for score, hit in zip(combined, self.match.hits, strict=True):
            if hit is not None:
                best[hit] = max(best[hit], float(score))
        return best

    def false_alarm_scores(self, combined: FloatArray) -> list[float]:
        """The combined scores of candidates on no lesion."""
        return [float(score) for score, hit in zip(combined, self.match.hits, strict=True) if hit is None]


def learn_combination(cases: Sequence[ScoredCase], networks: Sequence[int], seed: int) -> Combination:
    """A combination of some of the networks (0, the single MTANN, is always one of them).

    AND at the thresholds that lose no lesion where there are few lesions, else an integration network.
    """
    if len(networks) < 2:
        return SingleNetwork()
    lesions, alarms = _split(cases, networks)
    if lesions.shape[1] == 0:
        return SingleNetwork()
    if lesions.shape[1] < FEW_LESIONS or alarms.shape[1] < FEW_LESIONS:
        return LogicalAnd(thresholds=tuple(map(float, lesions.min(axis=1))))
    return _integration_network(lesions, alarms, seed)


def combined_out_of_fold(cases: Sequence[ScoredCase], networks: Sequence[int], seed: int) -> list[FloatArray]:
    """Combined scores of every case, each by a combination that was learnt without its fold."""
    rules: dict[int | None, Combination] = {}
    results = []
    for case in cases:
        if case.fold not in rules:
            others = [one for one in cases if one.fold != case.fold or case.fold is None]
            rules[case.fold] = learn_combination(others, networks, seed)
        rule = rules[case.fold]
        results.append(rule.apply(case.scores[list(networks)[: rule.networks]]))
    return results


def froc_of(cases: Sequence[ScoredCase], combined: Sequence[FloatArray]) -> Froc:
    """The FROC curve of combined scores."""
    pairs = list(zip(cases, combined, strict=True))
    return froc(
        [case.lesion_scores(scores) for case, scores in pairs],
        [case.false_alarm_scores(scores) for case, scores in pairs],
    )


def _split(cases: Sequence[ScoredCase], networks: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Scores (networks, n) of the best candidate on each lesion, and of all false alarms."""
    rows = list(networks)
    lesions, alarms = [np.empty((len(rows), 0))], [np.empty((len(rows), 0))]
    for case in cases:
        hits = np.array([-1 if hit is None else hit for hit in case.match.hits], dtype=np.int64)
        alarms.append(case.scores[rows][:, hits < 0])
        for lesion in np.unique(hits[hits >= 0]):
            own = case.scores[rows][:, hits == lesion]
            lesions.append(own[:, [int(own[0].argmax())]])
    return np.concatenate(lesions, axis=1), np.concatenate(alarms, axis=1)


def _integration_network(lesions: FloatArray, alarms: FloatArray, seed: int) -> IntegrationNetwork:
    """Least squares with weight decay; lesions (1) and false alarms (0) weigh the same in sum."""
    scores = np.concatenate([lesions, alarms], axis=1)
    mean, deviation = scores.mean(axis=1), np.maximum(scores.std(axis=1), 1e-9)
    x = ((scores - mean[:, None]) / deviation[:, None]).T
    target = np.r_[np.ones(lesions.shape[1]), np.zeros(alarms.shape[1])]
    weight = np.r_[np.full(lesions.shape[1], 0.5 / lesions.shape[1]), np.full(alarms.shape[1], 0.5 / alarms.shape[1])]
    shapes = [(_HIDDEN, x.shape[1]), (_HIDDEN,), (_HIDDEN,), (1,)]
    sizes = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])

    def parts(vector: FloatArray) -> list[FloatArray]:
        return [vector[a:b].reshape(s) for a, b, s in zip(sizes, sizes[1:], shapes, strict=False)]

    def loss(vector: FloatArray) -> tuple[float, FloatArray]:
        first, bias, output, constant = parts(vector)
        hidden = np.tanh(x @ first.T + bias)
        error = hidden @ output + constant - target
        pulled = weight * error
        back = pulled[:, None] * output * (1 - hidden**2)
        gradient = [back.T @ x + _WEIGHT_DECAY * first, back.sum(axis=0), hidden.T @ pulled + _WEIGHT_DECAY * output]
        value = 0.5 * float((pulled * error).sum() + _WEIGHT_DECAY * ((first**2).sum() + (output**2).sum()))
        return value, np.concatenate([*(part.ravel() for part in gradient), [pulled.sum()]])

    start = np.random.default_rng([seed, 5]).normal(scale=0.3, size=int(sizes[-1]))
    first, bias, output, constant = parts(minimize(loss, start, jac=True, method="L-BFGS-B").x)
    return IntegrationNetwork(
        mean=tuple(mean.tolist()),
        deviation=tuple(deviation.tolist()),
        first_weight=tuple(tuple(row) for row in first.tolist()),
        first_bias=tuple(bias.tolist()),
        output_weight=tuple(output.tolist()),
        output_bias=float(constant[0]),
    )
