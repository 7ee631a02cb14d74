"""Recipes by name."""

from mtann.errors import SettingsError
from mtann.synthetic.recipe import LesionRecipe

_T1C = {"fluid_deviations": 2.0, "blur_mm": (1.0, 2.2)}

RECIPES: dict[str, LesionRecipe] = {
    "generic": LesionRecipe(),
    # T1 after contrast: from barely brighter than white matter to as bright as a vein; cores from grey to fluid.
    "metastasis": LesionRecipe(
        unit="deviation",
        tissue="brain",
        count=(3, 10),
        radius_mm=(1.5, 20.0),
        contrast=(1.2, 6.0),
        core_contrast=(-3.0, 0.3),
        halo_contrast=(-1.0, 0.0),
        solid=0.4,
        ring=0.35,
        patchy=0.25,
        hollow_above_mm=14.0,
        halo_mm=(0.0, 18.0),
        beside=0.15,
        **_T1C,
    ),
    "glioma": LesionRecipe(
        unit="deviation",
        tissue="brain",
        count=(1, 4),
        radius_mm=(2.5, 30.0),
        contrast=(1.3, 5.5),
        core_contrast=(-3.0, 0.3),
        halo_contrast=(-1.0, 0.0),
        ellipticity=(0.0, 0.4),
        irregularity=(0.1, 0.32),
        lobed=0.5,
        solid=0.2,
        ring=0.5,
        patchy=0.3,
        hollow_above_mm=12.0,
        rim_fraction=(0.12, 0.6),
        rim_mm=(1.5, 12.0),
        rim_irregularity=(0.25, 0.8),
        rim_gap=(0.0, 0.5),
        texture=(0.15, 0.5),
        texture_mm=(2.5, 10.0),
        edge_mm=(0.0, 4.0),
        core_edge_mm=(0.0, 5.0),
        transparency=(0.0, 0.25),
        halo_mm=(4.0, 25.0),
        mass_effect=(0.2, 0.8),
        beside=0.5,
        min_inside=0.75,
        **_T1C,
    ),
    # Hounsfield units above lung at about -850: ground glass at -700 to a dense nodule at 100.
    "lung-nodule": LesionRecipe(
        unit="image",
        tissue="lung",
        count=(1, 5),
        radius_mm=(2.0, 15.0),
        contrast=(700.0, 950.0),
        core_contrast=(0.0, 400.0),
        halo_contrast=(0.0, 0.0),
        irregularity=(0.03, 0.25),
        lobed=0.15,
        spicules=(0, 14),
        solid=0.65,
        ring=0.03,
        patchy=0.07,
        part_solid=0.25,
        solid_below_mm=3.0,
        texture=(0.0, 0.1),
        edge_mm=(0.0, 1.0),
        transparency=(0.0, 0.15),
        halo_mm=(0.0, 0.0),
        mass_effect=(0.0, 0.0),
        blur_mm=(0.8, 1.6),
        min_inside=0.7,
        fluid_deviations=None,
        beside=0.05,
        attached=0.4,
    ),
}
"""The recipes that come with the library; all can be changed field by field."""


def recipe_named(name: str) -> LesionRecipe:
    """A recipe of :data:`RECIPES`.

    Raises:
        SettingsError: There is none of this name.
    """
    if name not in RECIPES:
        raise SettingsError(f"There is no recipe '{name}'. Use one of: {', '.join(RECIPES)}.")
    return RECIPES[name]
