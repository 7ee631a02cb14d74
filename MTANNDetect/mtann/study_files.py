"""Reading a study: predictions and references in folders, lists or JSON, brought together by the names of cases."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mtann.cases import CaseFiles, read_case_list
from mtann.errors import CasesError, SettingsError
from mtann.evaluation.study import Found, LazyVolume, StudyCase
from mtann.given_files import read_given
from mtann.report.documents import read_candidates
from mtann.sampling.lesions import POINT_SUFFIXES, Lesion, read_lesions
from mtann.volume import Volume
from mtann.volume_io import read_volume

_IMAGES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")
_SUFFIXES = (*POINT_SUFFIXES, *_IMAGES)
_CANDIDATES, _OUTLINES, _SEGMENTATION, _LESIONS = (
    "candidates.json",
    "candidates.nii.gz",
    "segmentation.nii.gz",
    "lesions",
)


@dataclass(frozen=True)
class Prediction:
    """What was found in one case, and its voxels if there are any."""

    found: tuple[Found, ...]
    found_map: LazyVolume | None = None


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        values: Label values of references that are lesions; all but 0 if empty.
        keep_instances: Whether each value of a reference is one lesion; else each connected part is.
        predicted_values: Label values of predictions that count; all but 0 if empty.
        threshold: Score from which candidates count as reported; as the result says, or all, if None.
    """

    values: tuple[int, ...] = ()
    keep_instances: bool = False
    predicted_values: tuple[int, ...] = ()
    threshold: float | None = None


def read_study(
    predictions: Path, references: Path, how: Reading | None = None
) -> tuple[tuple[StudyCase, ...], tuple[str, ...]]:
    """Read a study; returns its cases in the references' order, and what to know about it.

    Raises:
        CasesError: A case of the references has no prediction, a case stands twice, or a file cannot be used.
        SettingsError: The threshold is no finite number.
    """
    how = how or Reading()
    if how.threshold is not None and not np.isfinite(how.threshold):
        raise SettingsError(f"The threshold must be a finite number; found {how.threshold}.")
    true, found = read_references(references, how), predictions_in(predictions, how)
    missing = [case.case for case in true if case.case not in found]
    if missing:
        raise CasesError(
            f"{len(missing)} of {len(true)} cases of the references have no prediction: {_some(missing)}. "
            "Name predictions as the references, run the detector on those cases, too (one in which nothing is found "
            "needs an empty result), or take them out of the references."
        )
    unused = sorted(found.keys() - {case.case for case in true})
    notes = [f"Predictions of cases without a reference were left out: {len(unused)}."] if unused else []
    cases = []
    for case in true:
        prediction = found[case.case]()
        lesion_map = case.lesion_map
        if lesion_map is None and not case.lesions and any(one.lesion_map for one in true):
            # Among label maps, no lesions are an empty one: else what is falsely outlined there went uncounted.
            lesion_map = prediction.found_map and partial(_nothing, prediction.found_map)
        cases.append(replace(case, found=prediction.found, found_map=prediction.found_map, lesion_map=lesion_map))
    return tuple(cases), tuple(notes)


def read_references(path: Path, how: Reading) -> tuple[StudyCase, ...]:
    """The cases with their lesions: of a list ``CASES.csv``, or of a folder with one file or sub-folder a case.

    In a list, an empty cell in the column ``lesions`` says that a case has none.
    """
    if path.is_file():
        rows = read_case_list(path, needs_images=False)
        if not any(row.lesions for row in rows):
            raise CasesError(f"'{path.name}' names no lesions. Add a column 'lesions'; leave it empty where none are.")
        return tuple(_reference(row, how) for row in rows)
    files = dict(_by_case(path, lambda folder: _only(folder, _LESIONS)))
    return tuple(_reference(CaseFiles(name, name, {}, lesions=place), how) for name, place in files.items())


def predictions_in(path: Path, how: Reading) -> dict[str, Callable[[], Prediction]]:
    """A reader of each case's prediction.

    They come from a folder with one result folder of ours, or one label map or file of points, a case; or from JSON:
    ``{"cases": {"NAME": [{"centre_lps_mm": [x, y, z], "score": s, "radius_mm": r, "probability": p}, ...]}}``.
    """
    if path.is_file():
        return {name: partial(_prediction_of, found) for name, found in _from_json(path, how).items()}
    return {name: partial(_read_prediction, place, how) for name, place in _by_case(path, _result_in)}


def _prediction_of(found: tuple[Found, ...]) -> Prediction:
    return Prediction(found)


def _by_case(folder: Path, inside: Callable[[Path], Path | None]) -> Iterator[tuple[str, Path]]:
    """Name and file of every case in a folder, in the order of names."""
    if not folder.is_dir():
        raise CasesError(f"There is no folder or file '{folder}'. Check the path.")
    seen: dict[str, Path] = {}
    for place in sorted(folder.iterdir(), key=lambda one: one.name):
        found: Path | None
        if place.is_dir():
            name, found = place.name, inside(place)
        else:
            suffix = next((end for end in _SUFFIXES if place.name.lower().endswith(end)), None)
            name, found = (place.name[: -len(suffix)], place) if suffix else ("", None)
        if found is None or place.name.startswith("."):
            continue
        if name in seen:
            raise CasesError(
                f"Case '{name}' stands twice in '{folder.name}': as '{seen[name].name}' and '{place.name}'. Keep one."
            )
        seen[name] = place
        yield name, found
    if not seen:
        raise CasesError(
            f"'{folder.name}' holds no case: neither result folders nor files ending in {', '.join(_SUFFIXES)}. "
            "Check the path."
        )


def _only(folder: Path, stem: str) -> Path | None:
    """The file of a name, with any suffix that can be read."""
    found = [folder / f"{stem}{suffix}" for suffix in _SUFFIXES if (folder / f"{stem}{suffix}").is_file()]
    if len(found) > 1:
        raise CasesError(
            f"Case '{folder.name}' has its lesions twice: {', '.join(one.name for one in found)}. Keep one."
        )
    return found[0] if found else None


def _result_in(folder: Path) -> Path | None:
    return next((folder / name for name in (_CANDIDATES, _SEGMENTATION) if (folder / name).is_file()), None)


def _reference(row: CaseFiles, how: Reading) -> StudyCase:
    lesions = read_lesions(row.lesions, how.values, how.keep_instances) if row.lesions else ()
    image = next(iter(row.channels.values()), None)
    lesion_map: LazyVolume | None = None
    if row.lesions is not None and _is_image(row.lesions):
        lesion_map = partial(_read_mask, row.lesions, how.values)
    return StudyCase(
        case=row.case,
        patient=row.patient,
        found=(),
        lesions=lesions,
        lesion_map=lesion_map,
        image=None if image is None else partial(read_volume, image),
        subgroups=row.subgroups,
    )


def _read_prediction(path: Path, how: Reading) -> Prediction:
    if path.name == _CANDIDATES:
        return _from_result(path, how)
    given = read_given(path, how.predicted_values)
    found = tuple(_found(one, how, score=1.0 if one.score is None else one.score) for one in given)
    return Prediction(found, partial(_read_mask, path, how.predicted_values) if _is_image(path) else None)


def _from_result(path: Path, how: Reading) -> Prediction:
    candidates = read_candidates(path)
    found = tuple(
        _found(place, how, candidate.score, candidate.probability, candidate.reported)
        for place, candidate in zip(read_given(path), candidates, strict=True)
    )
    kept = tuple(candidate.id for candidate, one in zip(candidates, found, strict=True) if one.reported)
    outlines = path.parent / _OUTLINES
    return Prediction(found, partial(_read_mask, outlines, kept or (-1,)) if outlines.is_file() else None)


def _found(place: Lesion, how: Reading, score: float, probability: float | None = None, reported: bool = True) -> Found:
    if how.threshold is not None:
        reported = score >= how.threshold
    return Found(place.centre_lps_mm, place.radius_mm, place.outline, score, reported, probability)


def _from_json(path: Path, how: Reading) -> dict[str, tuple[Found, ...]]:
    try:
        pairs = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=partial(_no_twins, path.name))
    except (OSError, ValueError) as error:
        raise CasesError(f"'{path.name}' is not a readable JSON file ({error}). Check it.") from error
    cases = pairs.get("cases") if isinstance(pairs, dict) else None
    if not isinstance(cases, dict):
        raise CasesError(f"'{path.name}' has no object 'cases' with one list of candidates a case. See the README.")
    return {
        name: tuple(_json_found(entry, name, number, how) for number, entry in enumerate(entries, start=1))
        for name, entries in cases.items()
    }


def _no_twins(name: str, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise CasesError(f"'{name}' holds '{twice[0]}' twice. Give every case its own name.")
    return dict(pairs)


def _json_found(entry: Any, case: str, number: int, how: Reading) -> Found:
    try:
        x, y, z = (float(value) for value in entry["centre_lps_mm"])
        score = float(entry.get("score", 1.0))
        radius, probability = entry.get("radius_mm"), entry.get("probability")
        found = _found(
            Lesion((x, y, z), None if radius is None else float(radius)),
            how,
            score,
            None if probability is None else float(probability),
        )
        finite = np.isfinite([x, y, z, score, found.radius_mm or 1.0]).all()
        if not finite or not 0 <= (found.probability or 0) <= 1:
            raise ValueError("finite numbers and a probability from 0 to 1 are needed")
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise CasesError(
            f"Candidate {number} of case '{case}' cannot be read ({error}). "
            "It needs centre_lps_mm with three numbers, and perhaps score, radius_mm and probability."
        ) from error
    return found


def _is_image(path: Path) -> bool:
    return path.is_dir() or not path.name.lower().endswith(POINT_SUFFIXES)


def _read_mask(path: Path, values: Sequence[int]) -> Volume:
    volume = read_volume(path)
    inside = np.isin(volume.array, list(values)) if values else volume.array != 0
    return volume.with_array(inside.astype(np.uint8))


def _nothing(like: LazyVolume) -> Volume:
    """No voxel on the grid of a map."""
    volume = like()
    return volume.with_array(np.zeros(volume.geometry.shape_zyx, dtype=np.uint8), "no lesion")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def read_levels(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Levels from text such as ``lesion,case``.

    Raises:
        SettingsError: One is unknown, or none is named.
    """
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    if not named or any(name not in known for name in named):
        raise SettingsError(f"--levels takes {', '.join(known)}, separated by commas; found '{text}'.")
    return named
