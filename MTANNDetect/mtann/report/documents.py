"""A result as JSON and CSV: ``candidates.json`` and ``candidates.csv``.

The pydantic models here are the format's one description; writer and reader are a pair. The order of everything is
fixed and nothing depends on the clock, so equal results give equal bytes.
"""

import csv
import io
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mtann.detection.candidate import Candidate, DetectionResult
from mtann.detection.uncertainty import Uncertainty
from mtann.errors import MTANNError
from mtann.geometry import Triple

SCHEMA_VERSION: Final = 1

RESEARCH_USE_NOTICE = "Research software. Not a medical device. Every result must be reviewed by a qualified reader."

DEFINITIONS = {
    "score": "Gaussian-weighted mean of the likelihood about the peak, where there are experts combined with theirs; "
    "uncalibrated, no probability.",
    "probability": "Chance that the candidate lies on a lesion, learnt on candidates of the training data that the "
    "networks had not seen; null where the model holds no calibration.",
    "expert_scores": "The single MTANN's own score, then each expert's; empty without experts.",
    "reported": "Whether the score reaches the threshold. The other candidates are kept for a change of threshold.",
    "position": "Millimetres in LPS: x to the patient's left, y to posterior, z to superior, from the scanner's zero.",
    "outline": "Where the likelihood about the peak exceeds outline_fraction (see settings) of its peak.",
    "axial_diameter_mm": "Longest diameter of the outline in the axial plane through its largest section.",
    "perpendicular_diameter_mm": "Longest diameter at right angles to it in the same section.",
    "given_id": "Id, label or row among candidates that were given to be scored anew; 0 where none were given.",
    "given_score": "Score by the detector that gave the candidate: compare ranks, not values.",
}

Finite = Annotated[float, Field(allow_inf_nan=False)]
Length = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Point = tuple[Finite, Finite, Finite]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class _CandidateRecord(_Record):
    id: int = Field(ge=1)
    centroid_lps_mm: Point
    peak_lps_mm: Point
    score: Finite
    probability: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None
    class_name: str
    reported: bool
    volume_mm3: Length
    axial_diameter_mm: Length
    perpendicular_diameter_mm: Length
    max_diameter_mm: Length
    scoring_sigma_mm: Length | None = None
    expert_scores: tuple[Finite, ...] = ()
    given_id: int = 0
    given_score: Finite | None = None


class _ModelRecord(_Record):
    name: str
    version: str
    sha256: str


class _InputRecord(_Record):
    channel: str
    path: str
    sha256: str


class _ComputationRecord(_Record):
    device: str
    backend: Literal["torch", "openvino"]
    precision: Literal["fp32", "bf16", "fp16"]
    reason: str


class _GeometryRecord(_Record):
    shape_zyx: tuple[int, int, int]
    spacing_xyz_mm: Point
    origin_lps_mm: Point
    direction: tuple[Finite, ...] = Field(min_length=9, max_length=9)


class _ResultRecord(_Record):
    schema_version: Literal[1]
    research_use_notice: str
    model: _ModelRecord
    inputs: tuple[_InputRecord, ...]
    geometry: _GeometryRecord
    settings: dict[str, Any]
    threshold: Finite
    threshold_origin: str
    warnings: tuple[str, ...]
    definitions: dict[str, str]
    computation: _ComputationRecord | None = None
    candidates: tuple[_CandidateRecord, ...]


def result_document(result: DetectionResult) -> dict[str, Any]:
    """The content of ``candidates.json``: plain dictionaries, lists, numbers and strings, in a fixed order.

    Raises:
        ValueError: A number is NaN, infinite or out of its range; a defect of whoever made the result.
    """
    record = _ResultRecord(
        schema_version=SCHEMA_VERSION,
        research_use_notice=RESEARCH_USE_NOTICE,
        model=_ModelRecord.model_validate(result.model),
        inputs=tuple(
            _InputRecord(channel=entry.channel, path=file_name(entry.path), sha256=entry.sha256)
            for entry in result.inputs
        ),
        geometry=_GeometryRecord.model_validate(result.likelihood.geometry),
        settings=result.settings.model_dump(mode="json"),
        threshold=result.threshold,
        threshold_origin=result.threshold_origin,
        warnings=result.warnings,
        definitions=DEFINITIONS,
        computation=result.computation and _ComputationRecord.model_validate(result.computation),
        candidates=tuple(map(_CandidateRecord.model_validate, result.candidates)),
    )
    return record.model_dump(mode="json")


def uncertainty_document(uncertainty: Uncertainty) -> dict[str, Any]:
    """The content of ``uncertainty.json``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "networks": uncertainty.networks,
        "mirrorings": uncertainty.mirrorings,
        "volumes": [asdict(one) for one in uncertainty.volumes],
    }


def json_text(document: dict[str, Any]) -> str:
    """A document as it stands in ``candidates.json``."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_candidates(path: Path | str) -> tuple[Candidate, ...]:
    """Read the candidates of a ``candidates.json``, reported or not, in their order.

    Raises:
        MTANNError: The file is missing, of another kind, of a newer schema version, or damaged.
    """
    path = Path(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MTANNError(
            f"'{path}' cannot be read ({error.strerror}). Give the candidates.json of a result."
        ) from error
    except ValueError as error:
        raise MTANNError(f"'{path.name}' is not a JSON file. Give the candidates.json of a result.") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, int) or "candidates" not in document:
        raise MTANNError(f"'{path.name}' holds no candidates of ours. Give the candidates.json of a result.")
    if version > SCHEMA_VERSION:
        raise MTANNError(
            f"'{path.name}' was written by a newer version: it has schema {version}, this one reads up to "
            f"{SCHEMA_VERSION}. Update MTANNDetect."
        )
    try:
        record = _ResultRecord.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise MTANNError(f"'{path.name}' is damaged at '{place}': {first['msg']}. Run the detection again.") from error
    return tuple(Candidate(**candidate.model_dump()) for candidate in record.candidates)


CSV_COLUMNS = (
    "id",
    "x_lps_mm",
    "y_lps_mm",
    "z_lps_mm",
    "peak_x_lps_mm",
    "peak_y_lps_mm",
    "peak_z_lps_mm",
    "score",
    "probability",
    "class_name",
    "reported",
    "volume_mm3",
    "axial_diameter_mm",
    "perpendicular_diameter_mm",
    "max_diameter_mm",
    "given_id",
    "given_score",
)
"""One row a candidate; ``x_lps_mm`` to ``z_lps_mm`` are its centroid, named as in a CSV of lesion points."""


def csv_text(result: DetectionResult) -> str:
    """The content of ``candidates.csv``: the header, and one row a candidate, to a millionth of a unit."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(map(_row, result.candidates))
    return file.getvalue()


def _row(candidate: Candidate) -> list[str]:
    diameters = (candidate.axial_diameter_mm, candidate.perpendicular_diameter_mm, candidate.max_diameter_mm)
    return [
        str(candidate.id),
        *_numbers(candidate.centroid_lps_mm),
        *_numbers(candidate.peak_lps_mm),
        _number(candidate.score),
        "" if candidate.probability is None else _number(candidate.probability),
        candidate.class_name,
        "true" if candidate.reported else "false",
        _number(candidate.volume_mm3),
        *map(_number, diameters),
        str(candidate.given_id),
        "" if candidate.given_score is None else _number(candidate.given_score),
    ]


def _numbers(point: Triple) -> list[str]:
    return [_number(value) for value in point]


def _number(value: float) -> str:
    return repr(round(float(value), 6))


def file_name(path: str) -> str:
    """The last part of a path of any system: folders can tell whose images they hold."""
    return re.split(r"[/\\]", path)[-1]
