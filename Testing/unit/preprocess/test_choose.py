"""What the user chose for a channel, and what its images suggest for the rest."""

import numpy as np
import pytest

from mtann.errors import SettingsError
from mtann.preprocess.choose import Preprocessing, check_channel_names, choose_channel
from mtann.preprocess.normalise import Normalisation, window
from mtann.preprocess.prepare import Channel
from mtann.preprocess.steps import LimitedEqualisation, TrendRemoval

MR = np.array([[[0.0, 100.0], [50.0, 200.0]]] * 2)
CT = np.array([[[-1000.0, 40.0], [50.0, 300.0]]] * 2)


@pytest.mark.parametrize(
    ("arrays", "modality", "method"),
    [
        ([MR, MR], "mr", "robust_zscore"),
        ([CT, CT], "ct", "window"),
        ([CT, MR], "mr", "robust_zscore"),
        ([MR - 500], "ct", "window"),
        ([MR - 499], "mr", "robust_zscore"),
        ([MR[:1], MR[:1]], "other", "robust_zscore"),
        ([MR[:1], MR], "mr", "robust_zscore"),
        ([CT[:1]], "ct", "window"),
    ],
)
def test_air_makes_ct(arrays: list[np.ndarray], modality: str, method: str) -> None:
    channel = choose_channel("c", arrays)
    assert channel == Channel(name="c", modality=modality, normalisation=Normalisation(method=method))


def test_ct_that_is_equalised_is_no_longer_in_hounsfield_units() -> None:
    channel = choose_channel("ct", [CT], Preprocessing(steps=(LimitedEqualisation(),)))
    assert (channel.modality, channel.normalisation.method) == ("ct", "robust_zscore")
    assert channel.steps == (LimitedEqualisation(),)


def test_the_users_choice_goes_before_the_images() -> None:
    chosen = Preprocessing(steps=(TrendRemoval(),), normalisation=window("lung"))
    channel = choose_channel("ct", [CT], chosen)
    assert (channel.steps, channel.normalisation) == (chosen.steps, window("lung"))


def test_a_window_in_hounsfield_units_cannot_follow_equalisation() -> None:
    with pytest.raises(SettingsError, match="use robust_zscore or a window within 0 to 1"):
        choose_channel("ct", [CT], Preprocessing(steps=(LimitedEqualisation(),), normalisation=window("lung")))


def test_a_choice_for_a_channel_that_there_is_not_names_those_that_there_are() -> None:
    check_channel_names(("t1c", "flair"), {"flair": Preprocessing()})
    with pytest.raises(SettingsError, match="channel 't1', which there is not. The channels are: t1c, flair"):
        check_channel_names(("t1c", "flair"), {"flair": Preprocessing(), "t1": Preprocessing()})
