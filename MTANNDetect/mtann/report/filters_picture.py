"""The picture of hidden units: each one's weights as small images, the most influential unit first."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtann.explanation.filters import Filters
from mtann.geometry import FloatArray
from mtann.report.diverging import draw_signed_scale, png_bytes, signed_colours
from mtann.report.panel import BACKGROUND, MUTED, TEXT

_DPI = 100
PIXELS_PER_WEIGHT = 5
TILE_GAP, BLOCK_GAP, BLOCK_TITLE = 2, 14, 18
"""Pixels between images of a unit, between units, and above a unit for its name."""
_LIMIT_PERCENT = 99.0
_COLUMNS = 12
_MARGIN, _HEADER, _FOOTER = 16, 48, 56
_TITLE_DOWN, _AFTER_TITLE, _LINE = 22, 5, 15
"""Pixels from the top to the title, more below it than between lines, and from line to line."""
_SMALL, _LETTER = 8.5, 6.0
"""Size of the lines below the title in points, and of their letters in pixels, on average."""
_LEAST_WIDTH = 760


def filters_png(filters: Filters, channels: Sequence[str], title: str) -> bytes:
    """A PNG of all hidden units."""
    return png_bytes(filters_figure(filters, channels, title))


def filters_figure(filters: Filters, channels: Sequence[str], title: str) -> Figure:
    """Draw every unit's weights with its number and influence, on one colour scale with its bar."""
    limit = colour_limit(filters)
    blocks = [unit_image(weights, limit) for weights in filters.weights]
    high, wide = blocks[0].shape[:2]
    columns = min(_COLUMNS, len(blocks))
    rows = -(-len(blocks) // columns)
    width = max(columns * (wide + BLOCK_GAP) - BLOCK_GAP + 2 * _MARGIN, _LEAST_WIDTH)
    explained = _explained(filters, channels, width)
    header = _HEADER + _LINE * len(explained)
    height = header + rows * (BLOCK_TITLE + high + BLOCK_GAP) + _FOOTER
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    for number, (block, unit, influence) in enumerate(zip(blocks, filters.units, filters.influence, strict=True)):
        left = _MARGIN + number % columns * (wide + BLOCK_GAP)
        top = header + number // columns * (BLOCK_TITLE + high + BLOCK_GAP)
        figure.figimage(block, xo=left, yo=height - top - BLOCK_TITLE - high)
        name = f"unit {unit + 1}  {influence:+.2f}"
        figure.text(left / width, 1 - (top + BLOCK_TITLE - 5) / height, name, fontsize=7, color=TEXT)
    lines = [(title, 13, TEXT), *((line, _SMALL, MUTED) for line in explained)]
    for number, (text, size, colour) in enumerate(lines):
        down = _TITLE_DOWN + _LINE * number + (_AFTER_TITLE if number else 0)
        figure.text(_MARGIN / width, 1 - down / height, text, fontsize=size, color=colour, parse_math=False)
    axes = figure.add_axes((_MARGIN / width, 18 / height, 260 / width, 14 / height))
    draw_signed_scale(axes, limit, "weight for standardised intensities")
    return figure


def colour_limit(filters: Filters) -> float:
    """The weight shown in the strongest colour: few are larger, and those would leave the others pale."""
    return float(np.nanpercentile(np.abs(filters.weights), _LIMIT_PERCENT)) or 1.0


def unit_image(weights: FloatArray, limit: float) -> FloatArray:
    """One unit (channels, levels, z, y, x) as a picture (rows, columns, 4).

    Levels are columns. Rows are the sections through the middle, channel by channel: axial, coronal and sagittal with
    superior at the top; for a network of slices the slice alone.
    """
    rows = []
    for channel in weights:
        sections = [_sections(level) for level in channel]
        rows += [list(row) for row in zip(*sections, strict=True)]
    size = PIXELS_PER_WEIGHT
    edge_v = max(tile.shape[0] for tile in rows[0]) * size
    edge_u = max(tile.shape[1] for tile in rows[0]) * size
    shape = (len(rows) * (edge_v + TILE_GAP) - TILE_GAP, len(rows[0]) * (edge_u + TILE_GAP) - TILE_GAP, 4)
    picture = np.zeros(shape)
    for row, tiles in enumerate(rows):
        for column, tile in enumerate(tiles):
            colours = signed_colours(tile, limit).repeat(size, axis=0).repeat(size, axis=1)
            v, u = row * (edge_v + TILE_GAP), column * (edge_u + TILE_GAP)
            picture[v : v + edge_v, u : u + edge_u] = colours
    return picture


def _sections(level: FloatArray) -> list[FloatArray]:
    z, y, x = (n // 2 for n in level.shape)
    if level.shape[0] == 1:
        return [level[z]]
    return [level[z], level[::-1, y], level[::-1, :, x]]


def _explained(filters: Filters, channels: Sequence[str], width: int) -> list[str]:
    """What the picture shows, in lines that fit into so many pixels."""
    spacings = ", ".join(map(str, filters.dilations))
    sections = "the slice" if filters.weights.shape[3] == 1 else "axial, coronal and sagittal section"
    of = f", of each channel ({'; '.join(channels)})" if len(channels) > 1 else ""
    paragraphs = (
        "The most influential first, with the unit's connection weight to the output: "
        "above zero, the unit raises the likelihood where the image looks like its weights.",
        f"Columns: input spacing of {spacings} voxels. Rows: {sections} through the middle{of}. "
        "Red: high values (bright) excite the unit. Blue: low values (dark) do.",
    )
    letters = int((width - 2 * _MARGIN) / _LETTER)
    return [line for paragraph in paragraphs for line in wrap(paragraph, letters)]
