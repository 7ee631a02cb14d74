"""What a model that turns an image into another expects, decided by looking at its training images."""

from collections.abc import Mapping, Sequence

import numpy as np

from mtann.enhancement.pairs import EnhancementCase
from mtann.errors import CasesError
from mtann.preprocess.choose import Preprocessing, check_channel_names, choose_channel
from mtann.preprocess.mask import choose_mask_kind
from mtann.preprocess.normalise import Normalisation
from mtann.preprocess.prepare import Channel, InputSpecification
from mtann.settings import make_settings

_WHOLE_CT = Normalisation(method="window", low=-1024.0, high=3071.0)
_UNCLIPPED = Normalisation(clip=(-1000.0, 1000.0))
"""A detector leaves out the brightest values for good reasons; whoever makes an image must keep them."""


def enhancement_inputs(
    cases: Sequence[EnhancementCase],
    channels: Sequence[str],
    dimensions: int,
    spacing_mm: float | None,
    preprocessing: Mapping[str, Preprocessing],
) -> InputSpecification:
    """Write down what a model for such images expects.

    The grid is as fine as the images, since an image is made on it: the median in-plane spacing if none is given.

    Raises:
        CasesError: There is no case, or the cases differ in their number of channels.
        SettingsError: The spacing or a channel's preprocessing is not valid.
    """
    if not cases:
        raise CasesError("There is no case to learn from. Give at least one image with its target.")
    names = tuple(channels) or tuple(f"channel {number}" for number in range(1, len(cases[0].channels) + 1))
    for case in cases:
        if len(case.channels) != len(names):
            raise CasesError(
                f"Case '{case.case}' has {len(case.channels)} channel(s) where {len(names)} are expected. "
                "Give every case the same channels."
            )
    check_channel_names(names, preprocessing)
    described = tuple(_channel(name, number, cases, preprocessing.get(name)) for number, name in enumerate(names))
    kinds = [choose_mask_kind(case.channels[0].array, described[0].modality == "ct") for case in cases]
    if spacing_mm is None:
        in_plane = [mm for case in cases for mm in sorted(case.channels[0].geometry.spacing_xyz_mm)[:2]]
        spacing_mm = float(np.median(in_plane))
    return make_settings(
        InputSpecification,
        channels=described,
        spacing_mm=spacing_mm,
        dimensions=dimensions,
        mask=max(sorted(set(kinds)), key=kinds.count),
    )


def _channel(name: str, number: int, cases: Sequence[EnhancementCase], chosen: Preprocessing | None) -> Channel:
    channel = choose_channel(name, [case.channels[number].array for case in cases], chosen)
    if chosen is not None and chosen.normalisation is not None:
        return channel
    how = _WHOLE_CT if channel.normalisation.method == "window" else _UNCLIPPED
    return channel.model_copy(update={"normalisation": how})
