"""Colours for what raises and what lowers: red above zero, blue below, white or transparent at zero."""

import io

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtann.geometry import FloatArray
from mtann.report.panel import BACKGROUND, MUTED, TEXT

_COLOURS = "RdBu_r"
"""Perceptually even on both sides, and told apart without red-green vision."""
_MOST_OPAQUE = 0.8
_LEAST_SHOWN = 0.08


def signed_colours(values: npt.ArrayLike, limit: float) -> FloatArray:
    """Red, green, blue and opacity (..., 4) of values (...) from minus to plus the limit; not-a-number is clear."""
    values = np.asarray(values, dtype=np.float64)
    colours: FloatArray = np.array(colormaps[_COLOURS](np.clip(np.nan_to_num(values) / limit, -1, 1) / 2 + 0.5))
    colours[..., 3] = np.isfinite(values)
    return colours


def signed_overlay(values: FloatArray, limit: float) -> FloatArray:
    """The same to lay over an image: the smaller a value, the clearer."""
    colours = signed_colours(values, limit)
    share = np.clip(np.abs(values) / limit, 0, 1)
    colours[..., 3] = _MOST_OPAQUE * np.clip((share - _LEAST_SHOWN) / (1 - _LEAST_SHOWN), 0, 1) ** 0.6
    return colours


def draw_signed_scale(axes: Axes, limit: float, title: str) -> None:
    """Fill axes with a colour scale from minus to plus the limit."""
    axes.imshow(signed_colours(np.linspace(-1, 1, 256), 1.0)[None], extent=(-limit, limit, 0, 1), aspect="auto")
    ticks = [-limit, 0.0, limit]
    axes.set(yticks=[], xticks=ticks, xticklabels=["0" if tick == 0 else f"{tick:+.2g}" for tick in ticks])
    axes.tick_params(colors=MUTED, labelsize=8, length=2, pad=2)
    axes.set_title(title, fontsize=9, color=TEXT, pad=3)


def png_bytes(figure: Figure, background: str = BACKGROUND) -> bytes:
    """A figure as a PNG whose bytes depend on nothing but the picture."""
    file = io.BytesIO()
    options = {"compress_level": 6}
    figure.savefig(file, format="png", facecolor=background, metadata={"Software": None}, pil_kwargs=options)
    return file.getvalue()
