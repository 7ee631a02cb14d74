"""The picture of an occlusion map: the candidate in three planes, and below, what its score hangs on."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtann.detection.candidate import Candidate
from mtann.explanation.occlusion import Occlusion
from mtann.report.diverging import draw_signed_scale, png_bytes, signed_overlay
from mtann.report.panel import BACKGROUND, draw_panel, plane_caption
from mtann.report.planes import View, planes_of
from mtann.report.scene import Scene

_DPI = 120
_PANEL, _GAP, _MARGIN, _CAPTION, _FOOTER = 2.6, 0.1, 0.2, 0.25, 0.6
_LEAST_WIDTH_MM = 40.0
_BEYOND_THE_MAP = 1.15


def occlusion_png(scene: Scene, candidate: Candidate, occlusion: Occlusion) -> bytes:
    """A PNG of the candidate without and with its occlusion map."""
    return png_bytes(occlusion_figure(scene, candidate, occlusion))


def occlusion_figure(scene: Scene, candidate: Candidate, occlusion: Occlusion) -> Figure:
    """Draw the candidate in every plane; below each, the same with the map over it."""
    planes = planes_of(scene.image.geometry)
    width = max(len(planes) * (_PANEL + _GAP) - _GAP, 1.6 * _PANEL) + 2 * _MARGIN
    height = 2 * (_CAPTION + _PANEL) + _FOOTER + _MARGIN
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    reach = max(
        n * mm for n, mm in zip(occlusion.fall.array.shape, occlusion.fall.geometry.spacing_zyx_mm, strict=True)
    )
    edge = max(_LEAST_WIDTH_MM, _BEYOND_THE_MAP * reach)
    limit = colour_limit(occlusion)
    for number, plane in enumerate(planes):
        view = View(plane, candidate.centroid_lps_mm, edge, edge, edge / (_PANEL * _DPI / 1.5))
        overlay = signed_overlay(view.resample(occlusion.fall, outside=0.0), limit)
        left = _MARGIN + number * (_PANEL + _GAP)
        for row, colours in enumerate((None, overlay)):
            bottom = height - (row + 1) * (_CAPTION + _PANEL)
            axes = figure.add_axes((left / width, bottom / height, _PANEL / width, _PANEL / height))
            caption = plane_caption(view, candidate.centroid_lps_mm) if row == 0 else "what the score hangs on"
            draw_panel(axes, scene, view, candidate, colours, caption)
    scale = figure.add_axes((_MARGIN / width, 0.32 / height, 2.6 / width, 0.16 / height), facecolor="#707070")
    draw_signed_scale(scale, limit, "fall of the score where a cube is hidden")
    return figure


def colour_limit(occlusion: Occlusion) -> float:
    """The fall, or rise, shown in the strongest colour."""
    return max(float(abs(occlusion.fall.array).max()), 1e-6)
