"""A small picture of a place in an image: three planes through it, with an outline or a pointer."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from mtann.geometry import Triple
from mtann.report.diverging import png_bytes
from mtann.report.panel import BACKGROUND, REPORTED, draw_arms, draw_frame, draw_image, plane_caption
from mtann.report.planes import View, planes_of
from mtann.report.scene import grey_of, grey_window
from mtann.sampling.lesions import DEFAULT_RADIUS_MM, Lesion
from mtann.volume import Volume

_DPI = 90
_QUALITY = 82
_PANEL, _GAP, _CAPTION = 2.2, 0.06, 0.24
_LEAST_WIDTH_MM, _WIDTH_RADII = 40.0, 5.0


def lesion_png(image: Volume, lesion: Lesion) -> bytes:
    """A lesion with its outline, or with a circle of its radius where it was marked as a point."""
    return _draw(image, lesion.centre_lps_mm, lesion.radius_mm or DEFAULT_RADIUS_MM, lesion)


def place_png(image: Volume, place_lps_mm: Triple, radius_mm: float) -> bytes:
    """A place with arms that point at it."""
    return _draw(image, place_lps_mm, radius_mm, None)


def snapshot_jpeg(image: Volume, place: Lesion, *, is_lesion: bool) -> bytes:
    """The same as a JPEG, a quarter as large, for pages with many."""
    radius_mm = place.radius_mm or DEFAULT_RADIUS_MM
    figure = _figure(image, place.centre_lps_mm, radius_mm, place if is_lesion else None)
    file = io.BytesIO()
    options = {"quality": _QUALITY, "optimize": True}
    figure.savefig(file, format="jpeg", facecolor=BACKGROUND, pil_kwargs=options)
    return file.getvalue()


def _draw(image: Volume, place: Triple, radius_mm: float, lesion: Lesion | None) -> bytes:
    return png_bytes(_figure(image, place, radius_mm, lesion))


def _figure(image: Volume, place: Triple, radius_mm: float, lesion: Lesion | None) -> Figure:
    planes = planes_of(image.geometry)
    width, height = len(planes) * (_PANEL + _GAP) - _GAP, _PANEL + _CAPTION
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    edge = max(_LEAST_WIDTH_MM, _WIDTH_RADII * radius_mm)
    window = grey_window(image)
    for number, plane in enumerate(planes):
        view = View(plane, place, edge, edge, 1.5 * edge / (_PANEL * _DPI))
        axes = figure.add_axes((number * (_PANEL + _GAP) / width, 0, _PANEL / width, _PANEL / height))
        draw_image(axes, grey_of(image, window, view, own_window=True), view)
        if lesion is None:
            draw_arms(axes, view, place, radius_mm)
        else:
            _draw_lesion(axes, view, lesion, radius_mm)
        draw_frame(axes, view, plane_caption(view, place))
    return figure


def _draw_lesion(axes: Axes, view: View, lesion: Lesion, radius_mm: float) -> None:
    if lesion.outline is None:
        u, v = view.plane.uv(lesion.centre_lps_mm).tolist()
        axes.add_patch(Circle((u, v), radius_mm, fill=False, color=REPORTED, linewidth=1.2))
        return
    share = view.resample(lesion.outline.with_array(lesion.outline.array.astype(np.float32)), outside=0.0)
    if share.max() < 0.5:
        return
    left, _, _, top = view.extent_uv_mm
    u = left + (np.arange(share.shape[1]) + 0.5) * view.pixel_mm
    v = top + (np.arange(share.shape[0]) + 0.5) * view.pixel_mm
    axes.contour(u, v, share, levels=[0.5], colors=[REPORTED], linewidths=[1.2])
