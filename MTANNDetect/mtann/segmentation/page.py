"""The report of a segmentation as one self-contained HTML page: ``report.html``."""

from collections.abc import Sequence
from typing import Any

from mtann.report.documents import RESEARCH_USE_NOTICE, file_name
from mtann.report.html import software_versions, template
from mtann.report.words import count_words, millilitre_words, position_words, side_words
from mtann.segmentation.measures import LabelMeasures
from mtann.segmentation.result import Segmentation

_DEFINITIONS = {
    "volume": "Voxels of the label times the volume of a voxel. Regions may overlap; their volumes do not add up.",
    "components": "Connected parts of the label, voxels that touch by a corner counted as connected (26 neighbours). "
    "Where only parts of the image were looked at, what a part's border cuts counts as it is cut.",
    "slice with most of it": "Position in mm from the scanner's zero point, by side of it, of the sagittal (R/L), "
    "coronal (A/P) and axial (S/I) slice that holds most voxels of the label.",
}


def segmentation_html(
    result: Segmentation, measured: Sequence[LabelMeasures], picture_png: bytes, document: dict[str, Any]
) -> str:
    """The content of ``report.html``: no link, no script, nothing to load from elsewhere.

    Args:
        result: What was found.
        measured: Its labels.
        picture_png: Content of ``overlay.png``.
        document: Content of ``segmentation.json``.
    """
    return template("segmentation.html").render(
        document=document,
        labels=measured,
        found=[label for label in measured if label.box is not None],
        alternative=_alternative(measured),
        picture=picture_png,
        uncertainty=result.uncertainty,
        geometry=result.label_map.geometry,
        inputs=[(entry.channel, file_name(entry.path), entry.sha256) for entry in result.inputs],
        software=software_versions(),
        notice=RESEARCH_USE_NOTICE,
        definitions=_DEFINITIONS,
        count=count_words,
        side=side_words,
        position=position_words,
        millilitres=millilitre_words,
    )


def _alternative(measured: Sequence[LabelMeasures]) -> str:
    """What the picture shows, for readers who cannot see it."""
    found = [label for label in measured if label.box is not None]
    if not found:
        return "Axial, coronal and sagittal planes of the image. No voxel was segmented."
    places = "; ".join(
        f"{label.label.name}, {millilitre_words(label.label.volume_mm3)}, at {position_words(label.places[2])}"
        for label in found[:4]
    )
    return f"Axial, coronal and sagittal slices that hold most of each label: {places}."
