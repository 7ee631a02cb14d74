"""What hidden units look for: the weights of an MTANN's first layer, unit by unit."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mtann.sampling.kernel import kernel_radius_zyx, subvolume_offsets

if TYPE_CHECKING:
    from mtann.networks.mtann import MTANN

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Filters:
    """The first layer of one network, units in the order of their influence.

    Attributes:
        weights: (units, channels, levels, z, y, x), for standardised intensities; NaN where the subvolume has no input.
        units: Each one's number in the network.
        influence: Each one's connection weight to the output: positive where its activity raises the likelihood.
        dilations: Spacing of the input grid at each level, in voxels.
    """

    weights: FloatArray = field(repr=False)
    units: tuple[int, ...]
    influence: tuple[float, ...]
    dilations: tuple[int, ...]


def filters_of(network: "MTANN", member: int = 0) -> Filters:
    """The hidden units of one member, the most influential first.

    A unit's influence is the sum over all ways from it to the output of the product of the weights on the way (Olden
    and Jackson, Ecol Modell 154:135, 2002). A sigmoid unit whose influence is positive raises the likelihood where the
    image looks like its weights.
    """
    output = network.output_weight[member].detach().double().cpu().numpy()
    if network.second_weight is None:
        influence = output
    else:
        influence = output @ network.second_weight[member].detach().double().cpu().numpy()
    first = network.first_weight[member].detach().double().cpu().numpy()
    radius = np.array(kernel_radius_zyx(network.settings))
    weights = np.full((*first.shape[:3], *(2 * radius + 1)), np.nan)
    z, y, x = (subvolume_offsets(network.settings) + radius).T
    weights[..., z, y, x] = first
    order = np.argsort(-np.abs(influence), kind="stable")
    return Filters(
        weights[order],
        tuple(order.tolist()),
        tuple(influence[order].tolist()),
        network.settings.dilations,
    )
