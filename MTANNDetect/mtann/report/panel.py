"""One panel of a picture: a plane through a patient, with outlines, orientation letters and a scale bar."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import AbstractPathEffect, withStroke
from scipy import ndimage

from mtann.detection.candidate import Candidate
from mtann.geometry import FloatArray, Triple
from mtann.report.planes import View
from mtann.report.scene import Scene
from mtann.report.words import side_words

BACKGROUND = "#0b0d10"
TEXT = "#f0f2f4"
MUTED = "#a9b2bb"
REPORTED = "#3fe0ff"
UNREPORTED = "#dfe3e6"
WARNING = "#ffc44d"

LineStyle = str | tuple[float, tuple[float, float]]

_SHADOW = [withStroke(linewidth=2.2, foreground="black")]
_ARM_GAP_MM = 4.0
_ARM_FRACTION = 0.045
_BARS_MM = (2, 5, 10, 20, 50, 100)


def draw_panel(
    axes: Axes, scene: Scene, view: View, current: Candidate | None, colours: FloatArray | None, caption: str
) -> None:
    """Draw what one view shows.

    Args:
        axes: Where to draw; its limits become those of the view, in mm.
        scene: What there is to see.
        view: The plane and the part of it.
        current: The candidate that the view is about; crosshair arms point at it without covering it.
        colours: What lies over the image (v, u, 4); without it, the grey window suits what the view shows.
        caption: What to write above the panel.
    """
    draw_image(axes, scene.grey(view, own_window=colours is None), view, colours)
    for candidate, part, share in scene.outlines(view):
        colour = REPORTED if candidate.reported else UNREPORTED
        style: LineStyle = "solid" if candidate.reported else (0, (2.5, 2.0))
        draw_outline(axes, part, share, candidate.id, colour, candidate == current, style)
    if current is not None:
        draw_arms(axes, view, current.centroid_lps_mm, current.max_diameter_mm / 2)
    draw_frame(axes, view, caption)


def draw_image(axes: Axes, grey: FloatArray, view: View, colours: FloatArray | None = None) -> None:
    """Draw what a view shows of an image (v, u), 0 for black to 1 for white, and what lies over it (v, u, 4)."""
    axes.imshow(grey, cmap="gray", vmin=0, vmax=1, extent=view.extent_uv_mm, interpolation="bilinear")
    if colours is not None:
        axes.imshow(colours, extent=view.extent_uv_mm, interpolation="bilinear")


def draw_frame(axes: Axes, view: View, caption: str) -> None:
    """What every panel has: the view's limits, orientation letters, a scale bar and a caption above."""
    left, right, bottom, top = view.extent_uv_mm
    axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], facecolor="black")
    for spine in axes.spines.values():
        spine.set(color="#30363c", linewidth=0.8)
    _draw_letters(axes, view)
    _draw_scale_bar(axes, view)
    axes.set_title(caption, loc="left", fontsize=8, color=MUTED, pad=3, parse_math=False)


def plane_caption(view: View, through_lps_mm: Triple) -> str:
    """Name of the plane and where it lies, such as ``"Axial, S 45.1 mm"``."""
    return f"{view.plane.name}  {side_words(through_lps_mm, view.plane.axis)} mm"


def draw_outline(
    axes: Axes,
    view: View,
    share: FloatArray,
    number: int | None,
    colour: str,
    is_current: bool,
    style: LineStyle = "solid",
) -> None:
    """Draw where a share of the pixels (v, u) passes one half, with a number beside it.

    Args:
        axes: Where to draw.
        view: The pixels; one that something can reach into is enough.
        share: Of each pixel, how much is within.
        number: What to write; nothing if None.
        colour: Of line and number.
        is_current: Whether the panel is about it.
        style: Of the line.
    """
    if share.max() < 0.5 or min(share.shape) < 2:
        return
    width = 1.5 if is_current else 0.9
    left, _, _, top = view.extent_uv_mm
    u = left + (np.arange(share.shape[1]) + 0.5) * view.pixel_mm
    v = top + (np.arange(share.shape[0]) + 0.5) * view.pixel_mm
    lines = axes.contour(u, v, share, levels=[0.5], colors=[colour], linewidths=[width], linestyles=[style])
    lines.set(path_effects=_thin_shadow(width))
    if number is None:
        return
    # The number stands off the outline's upper right, where it covers neither the lesion nor the crosshair arms.
    axes.annotate(
        f"{number}",
        upper_right(view, share),
        xytext=(3, 2),
        textcoords="offset points",
        color=colour,
        fontsize=10 if is_current else 8,
        fontweight="bold" if is_current else "normal",
        path_effects=_SHADOW,
        annotation_clip=True,
        clip_on=True,
    )


def upper_right(view: View, share: FloatArray) -> tuple[float, float]:
    """The corner, in u and v, of the largest part of what lies within."""
    parts, count = ndimage.label(share >= 0.5)
    own = parts == (1 + int(np.argmax(np.bincount(parts.ravel())[1:])) if count > 1 else 1)
    rows, columns = np.nonzero(own)
    left, _, _, top = view.extent_uv_mm
    return float(left + (columns.max() + 0.5) * view.pixel_mm), float(top + (rows.min() + 0.5) * view.pixel_mm)


def _thin_shadow(width: float) -> list[AbstractPathEffect]:
    """A dark rim that keeps a line visible on bright tissue."""
    return [withStroke(linewidth=width + 1.0, foreground="#00000090")]


def draw_arms(axes: Axes, view: View, place_lps_mm: Triple, radius_mm: float) -> None:
    """Draw crosshair arms that point at a place without covering what is within a radius."""
    u, v = view.plane.uv(place_lps_mm).tolist()
    inner = radius_mm + _ARM_GAP_MM
    outer = inner + _ARM_FRACTION * max(view.width_mm, view.height_mm)
    for along_u, along_v in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        ends_u = (u + along_u * inner, u + along_u * outer)
        ends_v = (v + along_v * inner, v + along_v * outer)
        axes.plot(ends_u, ends_v, color=TEXT, linewidth=0.9, solid_capstyle="butt", path_effects=_SHADOW)


def _draw_letters(axes: Axes, view: View) -> None:
    left, right, top, bottom = view.plane.letters
    _write(axes, 0.025, 0.5, left, horizontal="left", vertical="center")
    _write(axes, 0.975, 0.5, right, horizontal="right", vertical="center")
    _write(axes, 0.5, 0.975, top, horizontal="center", vertical="top")
    _write(axes, 0.5, 0.02, bottom, horizontal="center", vertical="bottom")


def _draw_scale_bar(axes: Axes, view: View) -> None:
    length = max([bar for bar in _BARS_MM if bar <= 0.25 * min(view.width_mm, view.height_mm)], default=_BARS_MM[0])
    left, right, bottom, top = view.extent_uv_mm
    end = right - 0.04 * (right - left)
    height = bottom + 0.035 * (top - bottom)
    axes.plot(
        (end - length, end), (height, height), color=TEXT, linewidth=2.2, solid_capstyle="butt", path_effects=_SHADOW
    )
    middle = (end - length / 2 - left) / (right - left)
    _write(axes, middle, 0.05, f"{length} mm", size=7.5, horizontal="center", vertical="bottom")


def _write(axes: Axes, across: float, up: float, text: str, *, horizontal: str, vertical: str, size: float = 9) -> None:
    axes.text(
        across,
        up,
        text,
        transform=axes.transAxes,
        color=TEXT,
        fontsize=size,
        ha=horizontal,
        va=vertical,
        path_effects=_SHADOW,
        parse_math=False,
    )
