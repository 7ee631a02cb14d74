"""The values of a plan: what belongs together is checked, and the way back through transposed axes."""

import pytest

from mtann.errors import ModelError, SettingsError
from mtann.planning.plan import Architecture, Configuration, Intensities, Plan
from mtann.settings import make_settings

INTENSITIES = Intensities(mean=0, std=1, median=0, percentile_00_5=-1, percentile_99_5=1, minimum=-2, maximum=2)
ARCHITECTURE = Architecture(
    features=(8, 16),
    kernel_sizes=((3, 3, 3), (3, 3, 3)),
    strides=((1, 1, 1), (2, 2, 2)),
    encoder_blocks=(2, 2),
    decoder_convolutions=(2,),
)


def configuration(**changes):
    values = {
        "name": "3d_fullres",
        "spacing": (1, 1, 1),
        "median_size": (20, 20, 20),
        "patch_size": (16, 16, 16),
        "batch_size": 2,
        "normalisation": ("z_score",),
        "normalise_in_mask": (False,),
        "batch_dice": True,
        "architecture": ARCHITECTURE,
    }
    return make_settings(Configuration, **{**values, **changes})


def plan(**changes):
    values = {
        "name": "mine",
        "channels": ("t1",),
        "labels": {"core": (1,), "edge": (2,)},
        "intensities": (INTENSITIES,),
        "configurations": (configuration(),),
    }
    return make_settings(Plan, **{**values, **changes})


def test_labels_have_an_output_each_beside_the_background():
    assert plan().outputs == 3


def test_regions_have_an_output_each_and_no_background():
    regions = plan(labels={"whole": (1, 2), "core": (2,)}, region_order=(1, 2))
    assert (regions.has_regions, regions.outputs) == (True, 2)


@pytest.mark.parametrize(
    ("forward", "backward"), [((0, 1, 2), (0, 1, 2)), ((1, 0, 2), (1, 0, 2)), ((2, 0, 1), (1, 2, 0))]
)
def test_the_way_back_undoes_the_way_there(forward, backward):
    axes = "zyx"
    there = [axes[axis] for axis in forward]
    assert plan(transpose_forward=forward).transpose_backward == backward
    assert "".join(there[axis] for axis in backward) == axes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channels": ("t1", "t2")}, "2 channels but intensities of 1"),
        ({"region_order": (1,)}, "2 labels but a region order of 1"),
        ({"configurations": (configuration(normalisation=("ct", "ct")),)}, "does not normalise 1 channels"),
        ({"configurations": (configuration(previous="3d_lowres"),)}, "follows '3d_lowres', not planned"),
    ],
)
def test_parts_that_do_not_agree_are_refused(changes, said):
    with pytest.raises(SettingsError, match=said):
        plan(**changes)


def test_stages_that_do_not_agree_are_refused():
    with pytest.raises(SettingsError, match="features name 2 stages"):
        make_settings(Architecture, **{**ARCHITECTURE.model_dump(), "decoder_convolutions": (2, 2)})


def test_an_unknown_configuration_is_answered_with_the_known_ones():
    with pytest.raises(ModelError, match="Use one of: 3d_fullres"):
        plan().configuration("2d")
