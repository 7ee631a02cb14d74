"""An explanation for readers: in words, as JSON, and as pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtann.detection.candidate import Candidate, DetectionResult
from mtann.explanation.contributions import Contributions
from mtann.explanation.explanation import CandidateExplanation, Explanation
from mtann.report.filters_picture import filters_png
from mtann.report.occlusion_picture import occlusion_png
from mtann.report.scene import make_scene
from mtann.report.words import position_words
from mtann.volume import Volume

SCHEMA_VERSION = 1
_LITTLE = 0.1
"""A cube that takes less than this share of the score is called of little weight."""

_NOTICEABLE = 0.02


@dataclass(frozen=True)
class Bar:
    """One row of a table of contributions; ``length`` is its share of the longest bar, 0 to 1."""

    name: str
    score: float
    reference: float
    change: float
    length: float


@dataclass(frozen=True)
class ExplainedCandidate:
    """What the report says and shows of one candidate."""

    candidate: Candidate
    kind: str
    shared: float
    bars: tuple[Bar, ...]
    decision: str
    occlusion: tuple[str, ...]
    picture_png: bytes


def network_name(number: int) -> str:
    """What a network is called: the single MTANN, or an expert."""
    return "single MTANN" if number == 0 else f"expert {number}"


def decision_words(parts: Contributions) -> str:
    """Who decided, in a sentence."""
    if parts.kind == "single":
        return "The score is that of the single MTANN; there are no experts."
    if parts.decisive is not None:
        one = parts.by_network[parts.decisive]
        side = "above" if one.score >= one.reference else "below"
        return (
            f"Every network must agree, and the lowest margin decides: the {network_name(one.network)} was decisive, "
            f"{abs(one.score - one.reference):.3f} {side} its threshold. It took {abs(one.change):.3f}; without it the "
            f"score would be {parts.shared:.3f}."
        )
    ordered = sorted(parts.by_network, key=lambda one: one.change)
    words = [
        f"the {network_name(one.network)} {'gave' if one.change >= 0 else 'took'} {abs(one.change):.3f}"
        for one in dict.fromkeys((ordered[-1], ordered[0]))
    ]
    return f"Measured from what each network says on average, {' and '.join(words)}, the most on either side."


def occlusion_words(
    explained: CandidateExplanation, candidate: Candidate, channels: tuple[str, ...], inputs: tuple[str, ...]
) -> list[str]:
    """What the map shows, in sentences; ``channels`` and ``inputs`` as an :class:`Explanation` has them."""
    found = explained.occlusion
    fall, place = float(found.fall.array.max()), found.peak_lps_mm
    edge = " x ".join(f"{length:.1f}" for length in sorted(set(found.cube_zyx_mm)))
    if fall <= 0:
        return [f"Hiding no cube of {edge} mm lowers the score."]
    distance = float(np.linalg.norm(np.subtract(place, candidate.centroid_lps_mm)))
    said = [
        f"Hiding a cube of {edge} mm lowers the score about the peak by at most {fall:.3f} (from {found.score:.3f}), "
        f"at {position_words(place)}, {distance:.1f} mm from the candidate's centre."
    ]
    if candidate.score - found.score > _NOTICEABLE:
        said.append("The candidate's own score is higher because it is the best of several peaks on one outline.")
    if fall < _LITTLE * abs(found.score):
        said.append("No single cube carries much of the score: it rests on the whole neighbourhood.")
    if distance > candidate.max_diameter_mm / 2 + max(found.cube_zyx_mm):
        said.append("That is outside the candidate's outline: look there, too, before trusting the score.")
    if found.by_input:
        by_input = [f"{name} {float(one.array.max()):.3f}" for name, one in zip(inputs, found.by_input, strict=True)]
        said.append(f"The greatest fall with one channel hidden alone: {', '.join(by_input)}.")
    if len(channels) > len(inputs):
        said.append("An image was hidden with its curvature there; curvature beside the cube may still tell of it.")
    return said


def explained_candidates(
    explanation: Explanation, result: DetectionResult, image: Volume
) -> tuple[ExplainedCandidate, ...]:
    """All that the report says of the explained candidates, with their pictures drawn."""
    scene = make_scene(image, result)
    candidates = {candidate.id: candidate for candidate in result.candidates}
    found = []
    for one in explanation.candidates:
        candidate, parts = candidates[one.id], one.contributions
        longest = max(max(abs(part.change) for part in parts.by_network), 1e-9)
        found.append(
            ExplainedCandidate(
                candidate,
                parts.kind,
                parts.shared,
                tuple(
                    Bar(network_name(p.network), p.score, p.reference, p.change, abs(p.change) / longest)
                    for p in parts.by_network
                ),
                decision_words(parts),
                tuple(occlusion_words(one, candidate, explanation.channels, explanation.inputs)),
                occlusion_png(scene, candidate, one.occlusion),
            )
        )
    return tuple(found)


def explanation_volumes(explanation: Explanation) -> Iterator[tuple[str, Volume]]:
    """The occlusion maps with their file names."""
    for one in explanation.candidates:
        yield f"occlusion_{one.id}.nii.gz", one.occlusion.fall
        for number, volume in enumerate(one.occlusion.by_input, start=1):
            yield f"occlusion_{one.id}_input_{number}.nii.gz", volume


def explanation_pictures(explanation: Explanation) -> Iterator[tuple[str, bytes]]:
    """The pictures of hidden units with their file names."""
    for number, filters in enumerate(explanation.filters):
        name = "filters.png" if number == 0 else f"filters_expert_{number}.png"
        yield name, filters_png(filters, explanation.channels, f"Hidden units of the {network_name(number)}")


def explanation_document(explanation: Explanation) -> dict[str, Any]:
    """The content of ``explanation.json``, in a fixed order."""
    return {
        "schema_version": SCHEMA_VERSION,
        "settings": explanation.settings.model_dump(mode="json"),
        "channels": list(explanation.channels),
        "inputs": list(explanation.inputs),
        "candidates": [_candidate_document(one) for one in explanation.candidates],
    }


def _candidate_document(one: CandidateExplanation) -> dict[str, Any]:
    parts, occlusion = one.contributions, one.occlusion
    return {
        "id": one.id,
        "combination": parts.kind,
        "score": parts.combined,
        "shared": parts.shared,
        "decisive": None if parts.decisive is None else network_name(parts.decisive),
        "networks": [
            {"name": network_name(p.network), "score": p.score, "reference": p.reference, "change": p.change}
            for p in parts.by_network
        ],
        "occlusion": {
            "score": occlusion.score,
            "cube_zyx_mm": list(occlusion.cube_zyx_mm),
            "background": list(occlusion.background),
            "greatest_fall": float(occlusion.fall.array.max()),
            "greatest_fall_lps_mm": list(occlusion.peak_lps_mm),
            "greatest_fall_by_input": [float(volume.array.max()) for volume in occlusion.by_input],
        },
    }
