"""How a channel's intensities are treated: what the user chose, and for the rest what suits the training images."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mtann.errors import SettingsError
from mtann.preprocess.normalise import Normalisation
from mtann.preprocess.prepare import Channel
from mtann.preprocess.steps import Step
from mtann.settings import Settings, make_settings

_CT_AIR_HU = -500.0


class Preprocessing(Settings):
    """What a user chooses for one channel of a model that is to be taught."""

    steps: tuple[Step, ...] = Field((), description="steps before normalisation, in order")
    normalisation: Normalisation | None = Field(None, description="how intensities are scaled; by the images if none")


def check_channel_names(names: Sequence[str], chosen: Mapping[str, Preprocessing]) -> None:
    """Make sure that every choice is for a channel that there is.

    Raises:
        SettingsError: One is not.
    """
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise SettingsError(
            f"Preprocessing was chosen for the channel '{unknown[0]}', which there is not. "
            f"The channels are: {', '.join(names)}."
        )


def choose_channel(
    name: str, arrays: Sequence[npt.NDArray[np.generic]], chosen: Preprocessing | None = None
) -> Channel:
    """Describe a channel by its training images.

    Images that all hold air of less than -500 are CT and get the window from -1000 to 400 HU, unless steps change what
    their values mean; all others get the robust z-score. Single slices are radiographs and the like, not MR.

    Args:
        name: Name of the channel.
        arrays: The channel's image (z, y, x) in each training case.
        chosen: What the user chose for it.

    Raises:
        SettingsError: The user's normalisation cannot follow the user's steps.
    """
    chosen = chosen or Preprocessing()
    is_ct = all(float(array.min()) <= _CT_AIR_HU for array in arrays)
    other = "other" if all(1 in array.shape for array in arrays) else "mr"
    by_images = Normalisation(method="window" if is_ct and not chosen.steps else "robust_zscore")
    return make_settings(
        Channel,
        name=name,
        modality="ct" if is_ct else other,
        steps=chosen.steps,
        normalisation=chosen.normalisation or by_images,
    )
