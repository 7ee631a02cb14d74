"""The picture of a result: ``overlay.png``, the best candidates in three planes and enlarged."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtann.detection.candidate import Candidate, DetectionResult
from mtann.geometry import Triple
from mtann.report.page import MOST_NAME, Page, save_png, shortened
from mtann.report.panel import BACKGROUND, MUTED, REPORTED, TEXT, UNREPORTED, WARNING, draw_panel, plane_caption
from mtann.report.planes import View, planes_of
from mtann.report.scene import Scene, likelihood_colours, make_scene
from mtann.report.words import count_words, diameter_words, position_words, probability_words, volume_words
from mtann.volume import Volume

_DPI = 144
_MOST_ROWS = 4
_ZOOM_MM = 40.0
_MARGIN, _GAP, _HEADER, _ROW_TITLE, _FOOTER = 0.25, 0.08, 0.72, 0.54, 0.95
_PANEL_HEIGHTS = {1: 4.2, 2: 3.4, 3: 2.9, 4: 2.9}
_LEAST_WIDTH = 9.5
_LEAST_PANEL_WIDTH = 1.7


@dataclass(frozen=True)
class _Row:
    """One row of panels: a candidate, or None for the middle of the image; views of the planes, and of the detail."""

    candidate: Candidate | None
    through_lps_mm: Triple
    views: tuple[View, ...]
    detail: View | None

    def width(self, height: float) -> float:
        """Width of all panels in inches, for panels of a height in inches."""
        panels = [view.width_mm / view.height_mm * height for view in self.views] + [height] * (self.detail is not None)
        return sum(panels) + _GAP * (len(panels) - 1)


def draw_overlay(image: Volume, result: DetectionResult, path: Path | str) -> None:
    """Write the picture of a result as a PNG whose bytes depend on nothing but the picture.

    Args:
        image: What the reader sees in grey: the first channel.
        result: What was found.
        path: PNG file to write.
    """
    save_png(overlay_figure(image, result), path)


def overlay_figure(image: Volume, result: DetectionResult) -> Figure:
    """Draw the best candidates in axial, coronal and sagittal planes with the likelihood over the image, and enlarged.

    The planes are those of the patient (LPS) whatever way the image is stored; an image of one slice is shown as it
    lies. Without a reported candidate the best one below the threshold is shown, without any the middle of the image.
    """
    scene = make_scene(image, result)
    shown = result.reported[:_MOST_ROWS] or result.candidates[:1]
    height = _PANEL_HEIGHTS[max(1, len(shown))]
    rows = [_row(scene, candidate, height) for candidate in shown] or [_row(scene, None, height)]
    total = _HEADER + len(rows) * (_ROW_TITLE + height + _GAP) + _FOOTER
    width = max(*(row.width(height) for row in rows), _LEAST_WIDTH) + 2 * _MARGIN
    figure = Figure(figsize=(width, total), dpi=_DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    page = Page(figure, width, total)
    _write_header(page, result, shown)
    for number, row in enumerate(rows):
        _draw_row(page, scene, row, total - _HEADER - number * (_ROW_TITLE + height + _GAP), height)
    _write_footer(page, scene)
    return figure


def _row(scene: Scene, candidate: Candidate | None, height: float) -> _Row:
    through = scene.middle_lps_mm if candidate is None else candidate.centroid_lps_mm
    others = tuple(other.centroid_lps_mm for other in scene.result.candidates)
    planes = planes_of(scene.image.geometry)
    fields = [scene.field_of_view(plane, through, others) for plane in planes]
    # One scale for all planes of a picture: the highest fills its panel; narrow ones are widened for their captions.
    tall = max(field_height for _, _, field_height in fields)
    pixel = 1.5 * tall / (height * _DPI)
    narrow = _LEAST_PANEL_WIDTH / height * tall
    views = tuple(
        View(plane, centre, max(width, narrow), tall, pixel)
        for plane, (centre, width, _) in zip(planes, fields, strict=True)
    )
    if candidate is None:
        return _Row(None, through, views, None)
    edge = max(_ZOOM_MM, 1.8 * candidate.max_diameter_mm)
    return _Row(candidate, through, views, View(planes[0], through, edge, edge, edge / (height * _DPI / 1.5)))


def _draw_row(page: Page, scene: Scene, row: _Row, top: float, height: float) -> None:
    _write_row_title(page, row, top - 0.18)
    x, bottom = _MARGIN, top - _ROW_TITLE - height
    for view in row.views:
        width = view.width_mm / view.height_mm * height
        axes = page.figure.add_axes(page.place(x, bottom, width, height))
        draw_panel(axes, scene, view, row.candidate, scene.colours(view), plane_caption(view, row.through_lps_mm))
        x += width + _GAP
    if row.detail is not None:
        axes = page.figure.add_axes(page.place(x, bottom, height, height))
        caption = f"{row.detail.plane.name}, enlarged; image and outline only"
        draw_panel(axes, scene, row.detail, row.candidate, None, caption)


def _write_row_title(page: Page, row: _Row, y: float) -> None:
    candidate = row.candidate
    if candidate is None:
        page.write(_MARGIN, y, "The middle of the image", 10.5, MUTED)
        return
    colour = REPORTED if candidate.reported else UNREPORTED
    page.write(_MARGIN, y, f"{candidate.id}", 14, colour, bold=True)
    score = f"score {candidate.score:.2f}" + ("" if candidate.reported else " (below threshold)")
    if candidate.probability is not None:
        score += f", probability {probability_words(candidate.probability)}"
    size = f"{diameter_words(candidate)} axial, {candidate.max_diameter_mm:.1f} mm longest, {volume_words(candidate)}"
    page.write(_MARGIN + 0.35, y, f"{score}     {size}     {position_words(candidate.centroid_lps_mm)}", 10.5)


def _write_header(page: Page, result: DetectionResult, shown: tuple[Candidate, ...]) -> None:
    count = len(result.reported)
    if count == 0:
        title = f"No candidate reaches the threshold {result.threshold:.3g}"
        more = f"The best of {count_words(len(result.candidates), 'candidate')} below it is shown." if shown else ""
    else:
        title = f"{count_words(count, 'candidate')} at or above the threshold {result.threshold:.3g}"
        more = f"The best {len(shown)} are shown." if count > len(shown) else ""
    page.write(_MARGIN, page.height - 0.32, title, 15, bold=True)
    notes = [more] if more else []
    if min(result.likelihood.geometry.shape_zyx) == 1:
        notes.append("The image is one slice, so other planes are left out.")
    page.write(_MARGIN, page.height - 0.60, "  ".join(notes), 9.5, MUTED)
    if result.warnings:
        warning = f"{count_words(len(result.warnings), 'warning')}: see the report"
        page.write(page.width - _MARGIN, page.height - 0.32, warning, 11, WARNING, align="right")


def _write_footer(page: Page, scene: Scene) -> None:
    result = scene.result
    model = f"Model {result.model.name} {result.model.version}"
    page.write(_MARGIN, 0.68, f"{shortened(model, MOST_NAME)}    threshold {result.threshold:.3g}", 9)
    page.write(
        _MARGIN,
        0.45,
        "Patient's right is on the left. Positions in mm from the scanner's zero point. Dashed: below the threshold, "
        "down to half of it.",
        9,
        MUTED,
    )
    page.write(_MARGIN, 0.22, "Research use only. Not a medical device.", 9, WARNING)
    width = 2.6
    left = page.width - _MARGIN - width
    axes = page.figure.add_axes(page.place(left, 0.50, width, 0.16), facecolor="#707070")
    axes.imshow(likelihood_colours(np.linspace(0, 1, 256))[None], extent=(0, scene.top, 0, 1), aspect="auto")
    ticks = [0, scene.top / 2, scene.top]
    axes.set(yticks=[], xticks=ticks, xticklabels=[f"{tick:.3g}" for tick in ticks])
    axes.tick_params(colors=MUTED, labelsize=8, length=2, pad=2)
    axes.set_title("likelihood (uncalibrated)", fontsize=9, color=TEXT, pad=3)
    for spine in axes.spines.values():
        spine.set(color=MUTED, linewidth=0.6)
