"""Putting the scores of the single MTANN and its experts together into one.

Network 0 is the single MTANN; experts, one a type of its false alarms, follow. Suzuki et al., Med Phys 30:1602 (2003):
a candidate is kept if every expert keeps it (AND), each at the highest threshold that loses no training lesion. Suzuki
et al., IEEE Trans Med Imaging 24:1138 (2005): an integration network on the experts' scores, a mixture of experts.
"""

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mtann.settings import Settings

FloatArray = npt.NDArray[np.float64]
Numbers = tuple[Annotated[float, Field(allow_inf_nan=False)], ...]


class SingleNetwork(Settings):
    """The single MTANN's score, unchanged."""

    kind: Literal["single"] = "single"

    @property
    def networks(self) -> int:
        """How many networks' scores it takes."""
        return 1

    def apply(self, scores: FloatArray) -> FloatArray:
        """One score a candidate (n,) from (networks, n)."""
        single: FloatArray = scores[0]
        return single


class LogicalAnd(Settings):
    """The lowest of all networks' scores, each measured from its own threshold.

    At the single MTANN's threshold this keeps what every network keeps at its own.
    """

    kind: Literal["and"] = "and"
    thresholds: Numbers = Field(min_length=2, description="threshold of each network that loses no training lesion")

    @property
    def networks(self) -> int:
        """How many networks' scores it takes."""
        return len(self.thresholds)

    def apply(self, scores: FloatArray) -> FloatArray:
        """One score a candidate (n,) from (networks, n)."""
        above = scores - np.array(self.thresholds)[:, None]
        lowest: FloatArray = above.min(axis=0) + self.thresholds[0]
        return lowest


class IntegrationNetwork(Settings):
    """A network of one hidden layer (tanh) and linear output on the standardised scores."""

    kind: Literal["mixture"] = "mixture"
    mean: Numbers = Field(min_length=2)
    deviation: Numbers
    first_weight: tuple[Numbers, ...] = Field(description="(hidden, networks)")
    first_bias: Numbers
    output_weight: Numbers
    output_bias: float

    @property
    def networks(self) -> int:
        """How many networks' scores it takes."""
        return len(self.mean)

    def apply(self, scores: FloatArray) -> FloatArray:
        """One score a candidate (n,) from (networks, n)."""
        x = (scores.T - np.array(self.mean)) / np.array(self.deviation)
        hidden = np.tanh(x @ np.array(self.first_weight).T + np.array(self.first_bias))
        result: FloatArray = hidden @ np.array(self.output_weight) + self.output_bias
        return result


Combination = Annotated[SingleNetwork | LogicalAnd | IntegrationNetwork, Field(discriminator="kind")]
