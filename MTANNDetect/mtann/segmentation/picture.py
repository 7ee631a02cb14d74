"""The picture of a segmentation: ``overlay.png``, labels in the slices that hold most of them, and enlarged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from mtann.geometry import FloatArray, Geometry, Triple
from mtann.report.page import MOST_NAME, Page, shortened
from mtann.report.panel import (
    BACKGROUND,
    MUTED,
    TEXT,
    WARNING,
    draw_frame,
    draw_image,
    draw_outline,
    plane_caption,
    upper_right,
)
from mtann.report.planes import View, planes_of
from mtann.report.scene import Backdrop, make_backdrop, part_around
from mtann.report.words import count_words, millilitre_words, position_words
from mtann.segmentation.colours import Colour, is_lesion
from mtann.segmentation.measures import LabelMeasures, measure_labels
from mtann.segmentation.result import IndexBox, Segmentation
from mtann.volume import Volume

_DPI = 144
_MOST_ROWS = 4
_ZOOM_MM, _ZOOM_EXTENTS = 40.0, 1.3
_MARGIN, _GAP, _HEADER, _ROW_TITLE, _FOOTER = 0.25, 0.08, 0.72, 0.54, 0.95
_PANEL_HEIGHTS = {1: 4.2, 2: 3.4, 3: 2.9, 4: 2.9}
_LEAST_WIDTH, _LEAST_PANEL_WIDTH = 9.5, 1.7
_FILL, _DARK, _NUMBER_ROOM = 0.32, 0.55, 0.05
_LEGEND_COLUMNS, _MOST_IN_LEGEND, _LEGEND_LETTERS = 4, 8, 24

Cut = tuple[View, FloatArray]


@dataclass(frozen=True)
class _Row:
    """One row of panels: a label, or None for the middle of the image; views of the planes, and of the detail."""

    label: LabelMeasures | None
    views: tuple[View, ...]
    through_lps_mm: tuple[Triple, ...]
    detail: View | None

    def width(self, height: float) -> float:
        """Width of all panels in inches, for panels of a height in inches."""
        panels = [view.width_mm / view.height_mm * height for view in self.views] + [height] * (self.detail is not None)
        return sum(panels) + _GAP * (len(panels) - 1)


@dataclass(frozen=True)
class _Scene:
    """An image with labels in it, their grid, and the parts of it that were looked at; None for everywhere."""

    behind: Backdrop
    labels: tuple[LabelMeasures, ...]
    grid: Geometry
    boxes: tuple[IndexBox, ...] | None


def segmentation_figure(image: Volume, result: Segmentation, measured: Sequence[LabelMeasures] | None = None) -> Figure:
    """Draw labels in the axial, coronal and sagittal slices that hold most of them, and enlarged.

    Args:
        image: What the reader sees in grey: the first channel.
        result: What was found.
        measured: What :func:`measure_labels` said of it, if it was asked before.
    """
    scene = _Scene(
        make_backdrop(image), tuple(measured or measure_labels(result)), result.label_map.geometry, result.boxes
    )
    shown = shown_labels(scene.labels)
    height = _PANEL_HEIGHTS[max(1, len(shown))]
    rows = [_row(scene, label, height) for label in shown] or [_row(scene, None, height)]
    total = _HEADER + len(rows) * (_ROW_TITLE + height + _GAP) + _FOOTER + _legend_height(scene)
    width = max(*(row.width(height) for row in rows), _LEAST_WIDTH) + 2 * _MARGIN
    figure = Figure(figsize=(width, total), dpi=_DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    page = Page(figure, width, total)
    _write_header(page, result, scene, len(shown))
    for number, row in enumerate(rows):
        _draw_row(page, scene, row, total - _HEADER - number * (_ROW_TITLE + height + _GAP), height)
    _write_footer(page, result, scene)
    return figure


def shown_labels(labels: Sequence[LabelMeasures]) -> list[LabelMeasures]:
    """The labels that get a row: lesions before organs, then the largest; in the model's order."""
    found = [label for label in labels if label.box is not None]
    first = sorted(found, key=lambda label: (not is_lesion(label.label.name), -label.label.volume_mm3))
    return sorted(first[:_MOST_ROWS], key=lambda label: label.number)


def _row(scene: _Scene, label: LabelMeasures | None, height: float) -> _Row:
    planes = planes_of(scene.behind.image.geometry)
    through = [scene.behind.middle_lps_mm] * len(planes) if label is None else [label.places[p.axis] for p in planes]
    fields = [scene.behind.field_of_view(plane, place, ()) for plane, place in zip(planes, through, strict=True)]
    # One scale for all planes of a picture: the highest fills its panel; narrow ones are widened for their captions.
    tall = max(field_height for _, _, field_height in fields)
    pixel = 1.5 * tall / (height * _DPI)
    narrow = _LEAST_PANEL_WIDTH / height * tall
    views = tuple(
        View(plane, centre, max(width, narrow), tall, pixel)
        for plane, (centre, width, _) in zip(planes, fields, strict=True)
    )
    if label is None:
        return _Row(None, views, tuple(through), None)
    low, high = _extent(label, views[0])
    edge = max(_ZOOM_MM, _ZOOM_EXTENTS * float((high - low).max()))
    middle = planes[0].matrix[:, :2] @ ((low + high) / 2 - planes[0].uv(through[0])) + np.array(through[0])
    x, y, z = middle.tolist()
    detail = View(planes[0], (x, y, z), edge, edge, edge / (height * _DPI / 1.5))
    return _Row(label, views, tuple(through), detail)


def _extent(label: LabelMeasures, view: View) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest u and v, in mm, of what a view shows of a label."""
    left, _, _, top = view.extent_uv_mm
    cut = share_of(label, view)
    if cut is None or not (cut[1] >= 0.5).any():
        centre = view.plane.uv(label.places[view.plane.axis])
        return centre, centre
    left, _, _, top = cut[0].extent_uv_mm
    rows, columns = np.nonzero(cut[1] >= 0.5)
    corner, pixel = np.array([left, top]), view.pixel_mm
    low = corner + pixel * np.array([columns.min(), rows.min()])
    return low, corner + pixel * np.array([columns.max() + 1, rows.max() + 1])


def share_of(label: LabelMeasures, view: View) -> Cut | None:
    """The part of a view that a label can reach into, and its share of the pixels there (v, u); None if there is none.

    Only the slab of voxels about the plane is looked at, so that a label of a whole body costs no more than its slice.
    """
    if label.box is None or label.voxels is None:
        return None
    geometry = label.voxels.geometry
    rows, columns = view.size_uv
    corners = view.points_lps_mm[:: max(1, columns - 1), :: max(1, rows - 1)].reshape(-1, 3)
    index = geometry.index_from_lps(corners)
    low, high = np.floor(index.min(axis=0)) - 1, np.ceil(index.max(axis=0)) + 2
    box = np.array([(part.start - 1, part.stop + 1) for part in label.box])
    start = np.maximum.reduce([low, box[:, 0], np.zeros(3)]).astype(int)
    stop = np.minimum.reduce([high, box[:, 1], np.array(geometry.shape_zyx)]).astype(int)
    if np.any(start >= stop):
        return None
    part = label.voxels.array[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    alone = Volume(label.inside(part), geometry.cropped(start, stop))
    around = part_around(view, alone)
    return None if around is None else (around, around.resample(alone, outside=0.0))


def _draw_row(page: Page, scene: _Scene, row: _Row, top: float, height: float) -> None:
    _write_row_title(page, row, top - 0.18)
    x, bottom = _MARGIN, top - _ROW_TITLE - height
    for view, place in zip(row.views, row.through_lps_mm, strict=True):
        width = view.width_mm / view.height_mm * height
        axes = page.figure.add_axes(page.place(x, bottom, width, height))
        _draw_panel(axes, scene, view, row.label, plane_caption(view, place), filled=True)
        x += width + _GAP
    if row.detail is not None:
        axes = page.figure.add_axes(page.place(x, bottom, height, height))
        caption = f"{row.detail.plane.name}, enlarged; image and outlines only"
        _draw_panel(axes, scene, row.detail, row.label, caption, filled=False)


def _draw_panel(
    axes: Axes, scene: _Scene, view: View, current: LabelMeasures | None, caption: str, filled: bool
) -> None:
    draw_image(axes, scene.behind.grey(view, own_window=not filled), view)
    cuts = [(label, cut) for label in scene.labels if (cut := share_of(label, view)) and cut[1].max() >= 0.5]
    numbered = _numbered(cuts, current, view)
    # The smallest last, so that a core is not hidden beneath the whole.
    for label, (part, share) in sorted(cuts, key=lambda pair: -pair[0].label.volume_mm3):
        if filled:
            fill = np.zeros((*share.shape, 4))
            fill[..., :3] = np.array(label.colour) / 255
            fill[..., 3] = np.where(share >= 0.5, _FILL, 0.0)
            axes.imshow(fill, extent=part.extent_uv_mm, interpolation="nearest")
        number = label.number if label.number in numbered else None
        draw_outline(axes, part, share, number, _hex(label.colour), label is current)
    if scene.boxes is not None:
        axes.imshow(_dark(scene.boxes, view, scene.grid), extent=view.extent_uv_mm, interpolation="nearest")
    draw_frame(axes, view, caption)


def _numbered(cuts: Sequence[tuple[LabelMeasures, Cut]], current: LabelMeasures | None, view: View) -> set[int]:
    """The labels whose numbers are written: the current one, and others where there is room beside it."""
    places: dict[int, FloatArray] = {}
    for label, (part, share) in sorted(cuts, key=lambda pair: pair[0] is not current):
        place, room = np.array(upper_right(part, share)), _NUMBER_ROOM * view.height_mm
        if all(np.abs(place - other).max() > room for other in places.values()):
            places[label.number] = place
    return set(places)


def _dark(boxes: Sequence[IndexBox], view: View, grid: Geometry) -> FloatArray:
    """Black where nobody looked (v, u, 4), transparent elsewhere."""
    index = grid.index_from_lps(view.points_lps_mm)
    looked = np.zeros(index.shape[:2], dtype=bool)
    for box in boxes:
        ends = np.array(box) - 0.5
        looked |= np.all((index >= ends[:, 0]) & (index < ends[:, 1]), axis=-1)
    black: FloatArray = np.zeros((*looked.shape, 4))
    black[..., 3] = np.where(looked, 0.0, _DARK)
    return black


def _write_row_title(page: Page, row: _Row, y: float) -> None:
    label = row.label
    if label is None:
        page.write(_MARGIN, y, "The middle of the image", 10.5, MUTED)
        return
    page.write(_MARGIN, y, f"{label.number}", 14, _hex(label.colour), bold=True)
    of_it = count_words(label.components, "component")
    text = f"{shortened(label.label.name, 40)}     {millilitre_words(label.label.volume_mm3)} in {of_it}"
    page.write(_MARGIN + 0.35, y, f"{text}     {position_words(row.through_lps_mm[0])}", 10.5)


def _write_header(page: Page, result: Segmentation, scene: _Scene, shown: int) -> None:
    found = sum(label.box is not None for label in scene.labels)
    title = f"{found} of {count_words(len(scene.labels), 'label')} found" if found else "No voxel was segmented"
    notes = [f"Shown are {shown} of {found}: lesions first, then the largest."] if found > shown else []
    if min(result.label_map.geometry.shape_zyx) == 1:
        notes.append("The image is one slice, so other planes are left out.")
    if scene.boxes is not None:
        notes.append("Darkened parts were not looked at.")
    page.write(_MARGIN, page.height - 0.32, title, 15, bold=True)
    page.write(_MARGIN, page.height - 0.60, "  ".join(notes), 9.5, MUTED)
    if result.warnings:
        warning = f"{count_words(len(result.warnings), 'warning')}: see the report"
        page.write(page.width - _MARGIN, page.height - 0.32, warning, 11, WARNING, align="right")


def _legend_height(scene: _Scene) -> float:
    rows = -(-min(len(scene.labels), _MOST_IN_LEGEND) // _LEGEND_COLUMNS)
    return 0.23 * rows + 0.05


def _write_footer(page: Page, result: Segmentation, scene: _Scene) -> None:
    top, column = 0.78 + _legend_height(scene), (page.width - 2 * _MARGIN) / _LEGEND_COLUMNS
    for place, label in enumerate(scene.labels[:_MOST_IN_LEGEND]):
        x, y = _MARGIN + place % _LEGEND_COLUMNS * column, top - 0.23 * (place // _LEGEND_COLUMNS)
        empty = "" if label.box is not None else " (none)"
        last = place == _MOST_IN_LEGEND - 1 and len(scene.labels) > _MOST_IN_LEGEND
        name = f"{len(scene.labels) - place} more: see the report" if last else f"{label.label.name}{empty}"
        page.write(x, y, "" if last else "□" if empty else "■", 12, _hex(label.colour))
        page.write(x + 0.2, y, shortened(name if last else f"{label.number}  {name}", _LEGEND_LETTERS), 9, TEXT)
    page.write(_MARGIN, 0.68, shortened(f"Model {result.model.name} {result.model.version}", MOST_NAME), 9)
    page.write(
        _MARGIN,
        0.45,
        "Patient's right is on the left. Positions in mm from the scanner's zero point. Planes: the slices that hold "
        "most of a label.",
        9,
        MUTED,
    )
    page.write(_MARGIN, 0.22, "Research use only. Not a medical device.", 9, WARNING)


def _hex(colour: Colour) -> str:
    red, green, blue = (part / 255 for part in colour)
    return to_hex((red, green, blue))
