"""Adam with a one-cycle schedule, as torch's own pair computes it.

torch's optimisers load its compiler first, which takes seconds; a retraining is over by then. Kingma & Ba, "Adam: a
method for stochastic optimization" (ICLR 2015); Smith & Topin, "Super-convergence" (2018): the learning rate rises to
its peak while the momentum falls, then the way back to almost nothing, both along half cosines.
"""

from collections.abc import Iterable

import numpy as np
import torch

_SECOND_BETA, _EPSILON = 0.999, 1e-8
_RISING = 0.3
"""Share of the steps in which the learning rate rises."""
_FIRST, _LAST = 1 / 25, 1 / 25e4
"""Learning rate at the start and at the end, as shares of the peak."""
_MOST_MOMENTUM, _LEAST_MOMENTUM = 0.95, 0.85
_CLEAR_EVERY = 100
"""Steps between two looks for moments that are next to nothing."""
_LEAST_MEAN, _LEAST_SQUARE = 1e-30, 1.2e-38
"""Smaller moments become 0. Without a gradient they would fade below 1.2e-38, where computing is several times slower,
and stay there. Between two looks a mean fades to a ten-millionth at most, so that it stays above. Neither moves a
weight, since 1e-8 is added to the deviation."""


class OneCycleAdam:
    """The optimiser of one training.

    Args:
        parameters: What is trained.
        peak: Highest learning rate.
        steps: How many steps there will be.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], peak: float, steps: int) -> None:
        self._parameters = list(parameters)
        self._peak, self._steps, self._done = peak, steps, 0
        self._mean = [torch.zeros_like(one) for one in self._parameters]
        self._square = [torch.zeros_like(one) for one in self._parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters along their gradients, and take these away."""
        rate, momentum = one_cycle(self._done, self._steps, self._peak)
        self._done += 1
        size = rate / (1 - momentum**self._done)
        spread = (1 - _SECOND_BETA**self._done) ** 0.5
        for parameter, mean, square in zip(self._parameters, self._mean, self._square, strict=True):
            gradient = parameter.grad
            if gradient is None:
                continue
            mean.lerp_(gradient, 1 - momentum)
            square.mul_(_SECOND_BETA).addcmul_(gradient, gradient, value=1 - _SECOND_BETA)
            parameter.addcdiv_(mean, (square.sqrt() / spread).add_(_EPSILON), value=-size)
            parameter.grad = None
            if self._done % _CLEAR_EVERY == 0:
                mean.copy_(torch.nn.functional.hardshrink(mean, _LEAST_MEAN))
                torch.nn.functional.threshold(square, _LEAST_SQUARE, 0.0, inplace=True)


def one_cycle(step: int, steps: int, peak: float) -> tuple[float, float]:
    """Learning rate and momentum of a step, counted from 0."""
    top = _RISING * steps - 1
    if step <= top:
        share = step / top
        return _between(_FIRST * peak, peak, share), _between(_MOST_MOMENTUM, _LEAST_MOMENTUM, share)
    share = (step - top) / (steps - 1 - top)
    return _between(peak, _LAST * peak, share), _between(_LEAST_MOMENTUM, _MOST_MOMENTUM, share)


def _between(start: float, end: float, share: float) -> float:
    return float(end + (start - end) / 2 * (1 + np.cos(np.pi * share)))
