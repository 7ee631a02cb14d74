"""Writes a scan with synthetic lesions as a folder: images, label map, what was inserted, and a picture."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtann.output_folder import FolderKind, replace_folder
from mtann.report.documents import RESEARCH_USE_NOTICE
from mtann.report.panel import BACKGROUND, REPORTED, TEXT, draw_frame, plane_caption
from mtann.report.planes import View, planes_of
from mtann.report.words import position_words
from mtann.sampling.lesions import Lesion
from mtann.synthetic.insert import SyntheticCase, SyntheticLesion
from mtann.synthetic.placement import add_lesions
from mtann.version import VERSION
from mtann.volume import Volume
from mtann.volume_io import write_volume

SYNTHESIS_FOLDER = FolderKind(
    noun="synthetic case",
    marker="synthesis.json",
    marker_keys=("schema_version", "synthetic_notice", "recipe", "lesions"),
    patterns=("image*_*.nii.gz", "lesions.nii.gz", "mask.nii.gz", "synthesis.json", "preview.png"),
)
SYNTHETIC_NOTICE = "The lesions of this image are synthetic; it shows no patient's disease."

_MOST_ROWS = 4
_PANEL_INCHES = 2.7
_TITLE_INCHES = 0.62
_DPI = 110
_LEAST_VIEW_MM = 40.0
_VIEW_RADII = 5.0


def image_file(number: int, channel: str) -> str:
    """File name of a channel; ``number`` counts from 1."""
    return f"image{number}_{re.sub(r'[^A-Za-z0-9.-]+', '-', channel)}.nii.gz"


def save_synthetic_case(
    made: SyntheticCase,
    directory: Path | str,
    *,
    channels: Sequence[str],
    origin: Mapping[str, Any],
    mask: Volume | None = None,
    real: Sequence[Lesion] = (),
) -> None:
    """Write a synthetic case; a former one in the same place is replaced.

    Args:
        made: Images and lesions.
        directory: Folder to write; missing parents are made.
        channels: The channels' names.
        origin: How it was made, for ``synthesis.json``: recipe, seed, sources.
        mask: The case's mask, written beside the images.
        real: Annotated lesions that remain lesions: they are added to the label map after the synthetic ones.

    Raises:
        OutputError: The folder is not a former synthetic case, cannot be written, or the disk is full.
    """
    labels = made.label_map
    if real:
        labels = labels.with_array(add_lesions(labels.array.astype(np.uint8), real, labels.geometry))
    document = {
        "schema_version": 1,
        "synthetic_notice": SYNTHETIC_NOTICE,
        "research_use_notice": RESEARCH_USE_NOTICE,
        "version": VERSION,
        **origin,
        "real_lesions": len(real),
        "lesions": [_lesion_record(lesion, channels) for lesion in made.lesions],
    }
    with replace_folder(directory, SYNTHESIS_FOLDER) as work:
        for number, (name, volume) in enumerate(zip(channels, made.channels, strict=True), start=1):
            write_volume(volume, work / image_file(number, name))
        write_volume(labels, work / "lesions.nii.gz")
        if mask is not None:
            write_volume(mask, work / "mask.nii.gz")
        draw_preview(made, work / "preview.png")
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        (work / "synthesis.json").write_text(text, encoding="utf-8", newline="\n")


def _lesion_record(lesion: SyntheticLesion, channels: Sequence[str]) -> dict[str, Any]:
    return {
        "label": lesion.label,
        "kind": lesion.kind,
        "centre_lps_mm": [round(value, 3) for value in lesion.centre_lps_mm],
        "radius_mm": round(lesion.radius_mm, 3),
        "volume_mm3": round(lesion.volume_mm3, 3),
        "brightness": {
            name: {
                "contrast": round(bright.contrast, 3),
                "core_contrast": round(bright.core, 3),
                "halo_contrast": round(bright.halo, 3),
                "transparency": round(bright.transparency, 3),
            }
            for name, bright in zip(channels, lesion.brightness, strict=True)
        },
    }


def draw_preview(made: SyntheticCase, path: Path | str) -> None:
    """Draw a few lesions, from the largest to the smallest, in the patient's planes of the first channel."""
    ordered = sorted(made.lesions, key=lambda lesion: -lesion.volume_mm3)
    picks = np.unique(np.linspace(0, len(ordered) - 1, min(_MOST_ROWS, len(ordered))).round().astype(int))
    planes = planes_of(made.channels[0].geometry)
    row_inches = _PANEL_INCHES + _TITLE_INCHES
    width, height = len(planes) * (_PANEL_INCHES + 0.1) + 0.1, len(picks) * row_inches + 0.1
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    for row, pick in enumerate(picks):
        lesion, bottom = ordered[pick], height - (row + 1) * row_inches
        title = f"{lesion.label}  {lesion.kind.replace('_', '-')}, radius {lesion.radius_mm:.1f} mm"
        title += f"     {position_words(lesion.centre_lps_mm)}"
        figure.text(0.1 / width, (bottom + _PANEL_INCHES + 0.42) / height, title, color=TEXT, fontsize=9)
        edge = max(_LEAST_VIEW_MM, _VIEW_RADII * lesion.radius_mm)
        for column, plane in enumerate(planes):
            view = View(plane, lesion.centre_lps_mm, edge, edge, 1.5 * edge / (_PANEL_INCHES * _DPI))
            left = 0.1 + column * (_PANEL_INCHES + 0.1)
            place = (left / width, bottom / height, _PANEL_INCHES / width, _PANEL_INCHES / height)
            _draw_view(figure, place, made, lesion, view)
    figure.savefig(path, format="png", facecolor=BACKGROUND, metadata={"Software": None})


def _draw_view(
    figure: Figure,
    place: tuple[float, float, float, float],
    made: SyntheticCase,
    lesion: SyntheticLesion,
    view: View,
) -> None:
    image, labels = made.channels[0], made.label_map
    axes = figure.add_axes(place)
    grey = view.resample(image, outside=float(image.array.min()))
    low, high = np.percentile(grey, [1.0, 99.5])
    axes.imshow(grey, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), extent=view.extent_uv_mm)
    share = view.resample(labels.with_array((labels.array == lesion.label).astype(np.float32)), outside=0.0)
    if share.max() > 0.5:
        left, _, _, top = view.extent_uv_mm
        u = left + (np.arange(share.shape[1]) + 0.5) * view.pixel_mm
        v = top + (np.arange(share.shape[0]) + 0.5) * view.pixel_mm
        axes.contour(u, v, share, levels=[0.5], colors=[REPORTED], linewidths=[0.8])
    draw_frame(axes, view, plane_caption(view, lesion.centre_lps_mm))
