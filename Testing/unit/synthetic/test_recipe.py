"""Recipes say their ranges, refuse what makes no sense, and are found by name."""

import numpy as np
import pytest

from mtann.errors import SettingsError
from mtann.settings import make_settings
from mtann.synthetic.presets import RECIPES, recipe_named
from mtann.synthetic.recipe import ChannelLook, LesionRecipe, draw_log


def test_one_number_stands_for_both_ends():
    recipe = LesionRecipe(radius_mm=4.0, count=3, rim_gap=[0.2])
    assert (recipe.radius_mm, recipe.count, recipe.rim_gap) == ((4.0, 4.0), (3, 3), (0.2, 0.2))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 0),
        ("count", (0, 3)),
        ("count", 101),
        ("radius_mm", (5.0, 4.0)),
        ("radius_mm", 0.4),
        ("radius_mm", (1.0, float("nan"))),
        ("contrast", (0.0, float("inf"))),
        ("rim_gap", 1.1),
        ("irregularity", -0.1),
        ("texture_mm", 0.0),
        ("min_inside", 1.5),
        ("tissue", "liver"),
        ("unit", "HU"),
    ],
)
def test_what_is_out_of_range_is_named(name, value):
    with pytest.raises(SettingsError, match=f"Setting '{name}"):
        make_settings(LesionRecipe, **{name: value})


def test_some_kind_of_lesion_is_needed():
    with pytest.raises(SettingsError, match="at least one of the weights"):
        make_settings(LesionRecipe, solid=0, ring=0, patchy=0, part_solid=0)


def test_ends_of_ranges_are_allowed():
    recipe = LesionRecipe(count=(1, 100), radius_mm=(0.5, 100.0), rim_gap=(0.0, 1.0))
    assert recipe.radius_mm == (0.5, 100.0)


def test_a_channel_has_its_own_look_or_the_recipes():
    flair = ChannelLook(contrast=(2.0, 3.0))
    recipe = LesionRecipe(contrast=(4.0, 5.0), channel_looks={"flair": flair})
    assert recipe.look("flair").contrast == (2.0, 3.0)
    assert recipe.look("t1c").contrast == (4.0, 5.0)


def test_radii_are_drawn_evenly_in_the_logarithm():
    random = np.random.default_rng(0)
    logs = np.log([draw_log(random, (1.5, 24.0)) for _ in range(4000)])
    # An even distribution over ln 16: half of the draws lie below the geometric mean, 6 mm.
    assert np.mean(logs < np.log(6.0)) == pytest.approx(0.5, abs=0.03)
    assert np.log(1.5) <= logs.min() and logs.max() <= np.log(24.0)


def test_a_range_from_below_zero_is_drawn_evenly():
    random = np.random.default_rng(0)
    assert np.mean([draw_log(random, (-1.0, 3.0)) for _ in range(4000)]) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("name", ["generic", "metastasis", "glioma", "lung-nodule"])
def test_recipes_have_names(name):
    assert recipe_named(name) is RECIPES[name]


def test_recipes_say_their_unit():
    assert recipe_named("metastasis").unit == "deviation"
    assert recipe_named("lung-nodule").unit == "image"


def test_an_unknown_recipe_answers_with_the_list():
    with pytest.raises(SettingsError, match="no recipe 'wart'. Use one of: generic, metastasis, glioma, lung-nodule"):
        recipe_named("wart")
