"""The report of a result as one self-contained HTML page: ``report.html``."""

import base64
import platform
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

import jinja2

from mtann.detection.candidate import DetectionResult
from mtann.detection.uncertainty import Uncertainty
from mtann.report.documents import DEFINITIONS, RESEARCH_USE_NOTICE, result_document
from mtann.report.explanation import ExplainedCandidate
from mtann.report.words import (
    count_words,
    diameter_words,
    position_words,
    probability_words,
    side_words,
    signed_words,
    volume_words,
)
from mtann.version import VERSION

_PACKAGES = ("numpy", "scipy", "SimpleITK", "torch", "openvino", "matplotlib")


def html_text(
    result: DetectionResult,
    picture_png: bytes,
    intended_use: str = "",
    explained: Sequence[ExplainedCandidate] = (),
    filters: Sequence[tuple[str, bytes]] = (),
    uncertainty: Uncertainty | None = None,
) -> str:
    """The content of ``report.html``: no link, no script, nothing to load from elsewhere.

    Args:
        result: What was found.
        picture_png: Content of ``overlay.png``.
        intended_use: What the model is meant for, as its bundle says.
        explained: What to say of candidates that were explained.
        filters: Names and contents of pictures of hidden units.
        uncertainty: How sure the model is, if that was measured.
    """
    return template("report.html").render(
        document=result_document(result),
        candidates=result.candidates,
        reported=len(result.reported),
        below=len(result.candidates) - len(result.reported),
        alternative=_alternative(result),
        picture=picture_png,
        explained=explained,
        filters=filters,
        uncertainty=uncertainty,
        intended_use=intended_use,
        software=software_versions(),
        computation=result.computation,
        notice=RESEARCH_USE_NOTICE,
        definitions=DEFINITIONS,
        count=count_words,
        diameters=diameter_words,
        probability=probability_words,
        side=side_words,
        signed=signed_words,
        volume=volume_words,
    )


def software_versions() -> dict[str, str]:
    """Names and versions of what the result depends on, found without importing any of it."""
    found = {package: _installed(package) for package in _PACKAGES}
    return {"mtann": VERSION, "Python": platform.python_version(), **{name: v for name, v in found.items() if v}}


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _alternative(result: DetectionResult) -> str:
    """What the picture shows, for readers who cannot see it."""
    if not result.reported:
        return "Axial, coronal and sagittal planes of the image. No candidate reaches the threshold."
    places = "; ".join(
        f"candidate {candidate.id}, score {candidate.score:.2f}, at {position_words(candidate.centroid_lps_mm)}"
        for candidate in result.reported[:4]
    )
    return f"Axial, coronal and sagittal planes through the best candidates: {places}."


@cache
def template(name: str) -> jinja2.Template:
    """A page's template; its filter ``base64`` puts a picture into the page."""
    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=folder, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode("ascii")
    return environment.get_template(name)
