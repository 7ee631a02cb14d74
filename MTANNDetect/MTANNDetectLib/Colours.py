"""Our own colours: the likelihood table, and well-told-apart colours for candidates.

Both are laid out in OKLab, where equal steps look equally large, so no likelihood value stands out by colour alone.
"""

import numpy as np
import numpy.typing as npt
import slicer

TABLE_NAME = "MTANN likelihood"
TABLE_SIZE = 256
_SINGLETON_TAG = "MTANNLikelihood"
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))

# OKLab to linear sRGB (Ottosson 2020).
_LMS_FROM_LAB = np.array(
    [[1.0, 0.3963377774, 0.2158037573], [1.0, -0.1055613458, -0.0638541728], [1.0, -0.0894841775, -1.2914855480]]
)
_RGB_FROM_LMS = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def likelihoodColourTable() -> slicer.vtkMRMLColorTableNode:
    """The scene's likelihood colour table, made if it is not there: black, violet, red, orange, bright yellow.

    Lightness rises evenly. Opacity rises with it, fast at first, so faint likelihood lets the image through.
    """
    table = slicer.mrmlScene.GetSingletonNode(_SINGLETON_TAG, "vtkMRMLColorTableNode")
    if table is not None:
        return table
    table = slicer.vtkMRMLColorTableNode()
    table.SetSingletonTag(_SINGLETON_TAG)
    table.SetName(TABLE_NAME)
    table.SetTypeToUser()
    table.SetNumberOfColors(TABLE_SIZE)
    table.SetAttribute("Category", "MTANN")
    for index, (red, green, blue, alpha) in enumerate(likelihoodColours()):
        table.SetColor(index, f"{index / (TABLE_SIZE - 1):.3f}", red, green, blue, alpha)
    table.GetLookupTable().SetRange(0, TABLE_SIZE - 1)
    return slicer.mrmlScene.AddNode(table)


def likelihoodColours() -> npt.NDArray[np.float64]:
    """The table's colours (256, 4): red, green, blue and opacity, 0 to 1."""
    position = np.linspace(0, 1, TABLE_SIZE)
    lightness = 0.96 * position
    hue = np.radians(np.interp(position, [0, 0.35, 0.6, 1.0], [-55, 5, 45, 108]))
    chroma = np.interp(position, [0, 0.3, 0.7, 1.0], [0.02, 0.2, 0.19, 0.1])
    opacity = 1 - (1 - position) ** 3
    return np.column_stack([_srgb(lightness, chroma, hue), opacity])


def candidateColour(number: int) -> tuple[float, float, float]:
    """A colour for candidate ``number`` (from 1): consecutive ones lie about 137 degrees apart in hue."""
    hue = np.array([np.radians(150) + (number - 1) * _GOLDEN_ANGLE])
    # A second lightness after each turn of nine keeps near hues apart.
    lightness = np.array([0.78 if ((number - 1) // 9) % 2 == 0 else 0.62])
    red, green, blue = _srgb(lightness, np.array([0.15]), hue)[0].tolist()
    return (red, green, blue)


def _srgb(
    lightness: npt.NDArray[np.float64], chroma: npt.NDArray[np.float64], hue: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """OKLab cylinder coordinates to sRGB, chroma reduced as far as a screen needs it."""
    fitting = chroma.copy()
    for _ in range(60):
        lab = np.column_stack([lightness, fitting * np.cos(hue), fitting * np.sin(hue)])
        linear = (lab @ _LMS_FROM_LAB.T) ** 3 @ _RGB_FROM_LMS.T
        outside = np.any((linear < -1e-4) | (linear > 1 + 1e-4), axis=1)
        if not outside.any():
            break
        fitting[outside] *= 0.95
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
