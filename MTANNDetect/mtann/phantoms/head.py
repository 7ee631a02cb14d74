"""A synthetic skull-stripped head on contrast-enhanced T1, with eight known lesions."""

from dataclasses import dataclass

import numpy as np

from mtann.errors import SettingsError
from mtann.geometry import Geometry, Triple
from mtann.phantoms.brain import Brain
from mtann.phantoms.fields import Float32, FloatArray, random_field
from mtann.phantoms.lesions import LesionKind, PlacedLesion, place_lesions
from mtann.phantoms.raster import add_lesion, add_tubes, blur, rician
from mtann.phantoms.tissue import paint_tissue
from mtann.phantoms.vessels import Tube, vessel_tree
from mtann.volume import Volume

FIELD_OF_VIEW_XYZ_MM = (140.0, 175.0, 140.0)
_WHITE_MATTER = 600.0
_RESOLUTION_SIGMA_MM = 0.55
_BIAS = 0.09


@dataclass(frozen=True)
class PhantomLesion:
    """The truth about one lesion of a phantom.

    Attributes:
        label: Its value in the label volume.
        centre_lps_mm: Its centroid.
        diameter_mm: Diameter of the sphere of the same volume.
        kind: Whether it enhances throughout, as a ring about a dark core, or irregularly with lobes.
        touches_vessel: Whether a vessel runs into its surface.
    """

    label: int
    centre_lps_mm: Triple
    diameter_mm: float
    kind: LesionKind
    touches_vessel: bool


@dataclass(frozen=True)
class Phantom:
    """A synthetic image and the truth about it.

    Attributes:
        volume: The image, float32, axes z, y, x; exactly 0 outside the brain.
        labels: uint8 on the same grid: value k where lesion k fills at least half of the voxel, else 0.
        lesions: By label.
    """

    volume: Volume
    labels: Volume
    lesions: tuple[PhantomLesion, ...]


@dataclass(frozen=True)
class HeadScene:
    """A head before it is imaged: everything in it, in world space.

    Attributes:
        brain: The anatomy.
        tubes: The vessels.
        lesions: By label.
    """

    brain: Brain
    tubes: list[Tube]
    lesions: tuple[PlacedLesion, ...]


def head_scene(seed: int) -> HeadScene:
    """Make a random head; the same seed gives the same head.

    Raises:
        SettingsError: The seed is negative.
    """
    if seed < 0:
        raise SettingsError(f"The seed of a phantom must be 0 or more, found {seed}.")
    rng = np.random.default_rng([seed, 1])
    brain = Brain(rng)
    tubes = vessel_tree(brain, rng)
    return HeadScene(brain, tubes, place_lesions(brain, tubes, rng))


def head_phantom(seed: int, spacing_mm: float = 1.0) -> Phantom:
    """Image a random head with eight lesions of 3 to 15 mm, two of which touch a vessel.

    The head depends on the seed only, so phantoms of different spacing show the same head; only the noise differs.

    Args:
        seed: 0 or more.
        spacing_mm: Edge of the cubic voxels, 0.5 to 3 mm.

    Raises:
        SettingsError: The seed or the spacing is out of range.
    """
    if not 0.5 <= spacing_mm <= 3:
        raise SettingsError(f"The spacing of a head phantom must be from 0.5 to 3 mm, found {spacing_mm}.")
    scene = head_scene(seed)
    geometry = _geometry(spacing_mm)
    axes = _axes(geometry)
    template = scene.brain.warp_on_grid(*axes)
    tissue = paint_tissue(scene.brain, template, scene.brain.gradual.on_grid(*axes), spacing_mm)
    signal = tissue.signal
    add_tubes(signal, geometry, scene.tubes)
    labels = np.zeros(geometry.shape_zyx, dtype=np.uint8)
    for lesion in scene.lesions:
        add_lesion(signal, labels, geometry, lesion)
    signal = blur(signal, tissue.mask, _RESOLUTION_SIGMA_MM / spacing_mm)
    rng = np.random.default_rng([seed, 2])
    signal *= _bias(rng, axes)
    image = rician(rng, signal, 1 / rng.uniform(23, 30)) * np.float32(_WHITE_MATTER)
    image[~tissue.mask] = 0
    name = f"head-{seed}"
    lesions = tuple(
        PhantomLesion(lesion.label, lesion.centre_lps_mm, lesion.shape.diameter_mm, lesion.kind, lesion.touches_vessel)
        for lesion in scene.lesions
    )
    return Phantom(Volume(image, geometry, name), Volume(labels, geometry, f"{name}-lesions"), lesions)


def _geometry(spacing_mm: float) -> Geometry:
    nx, ny, nz = (max(1, round(extent / spacing_mm)) for extent in FIELD_OF_VIEW_XYZ_MM)
    ox, oy, oz = (-(n - 1) / 2 * spacing_mm for n in (nx, ny, nz))
    return Geometry((nz, ny, nx), (spacing_mm, spacing_mm, spacing_mm), (ox, oy, oz))


def _axes(geometry: Geometry) -> tuple[FloatArray, FloatArray, FloatArray]:
    """World coordinates along z, y and x."""
    spacing = geometry.spacing_xyz_mm[0]
    ox, oy, oz = geometry.origin_lps_mm
    nz, ny, nx = geometry.shape_zyx
    z, y, x = (np.asarray(o + spacing * np.arange(n), dtype=np.float64) for o, n in ((oz, nz), (oy, ny), (ox, nx)))
    return z, y, x


def _bias(rng: np.random.Generator, axes: tuple[FloatArray, FloatArray, FloatArray]) -> Float32:
    """Receive-coil shading of about 20 % either way."""
    field = random_field(rng, 60.0).on_grid(*axes)
    return np.asarray(np.exp(np.clip(field * np.float32(_BIAS), -0.22, 0.2)), dtype=np.float32)
