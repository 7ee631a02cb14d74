"""The figures of a study at the levels of lesions, cases and voxels, each as a statistic of weighted cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mtann.errors import CasesError
from mtann.evaluation.bootstrap import Statistic, mean, share
from mtann.evaluation.froc import LUNA16_RATES
from mtann.evaluation.lesion_wise import LesionWise, lesion_wise
from mtann.evaluation.ranked import RankedCandidates, auroc
from mtann.evaluation.study import MatchedCase, StudyCase, is_scored
from mtann.evaluation.voxels import VoxelMeasures, measure_voxels

SIZES_MM = (
    ("below 3 mm", 0.0, 3.0),
    ("3 to below 6 mm", 3.0, 6.0),
    ("6 to 10 mm", 6.0, 10.0),
    ("above 10 mm", 10.0, 0),
)


@dataclass(frozen=True)
class Figure:
    """One figure: its name, how it is worked out, and whether it is a share of things counted."""

    name: str
    statistic: Statistic
    is_share: bool = False


def lesion_figures(cases: Sequence[MatchedCase]) -> list[Figure]:
    """What was found and missed; over all thresholds, too, where candidates have scores."""
    found, lesions = [one.found for one in cases], [len(one.case.lesions) for one in cases]
    false = np.array([one.false_alarms for one in cases], dtype=np.float64)
    reported = np.array(found) + false
    figures = [
        Figure("sensitivity", share(found, lesions), True),
        Figure("fp_per_case", mean(false)),
        Figure("precision", share(found, reported), True),
        Figure("f1", share(2 * np.array(found), np.array(lesions) + reported), True),
    ]
    if is_scored([one.case for one in cases]):
        ranked = ranked_of(cases)
        figures += [Figure(f"sensitivity_at_{rate:g}_fp", ranked.sensitivity_at(rate), True) for rate in LUNA16_RATES]
        figures.append(Figure("mean_sensitivity", ranked.mean_sensitivity, True))
        figures.append(Figure("average_precision", ranked.average_precision, True))
    return figures


def ranked_of(cases: Sequence[MatchedCase]) -> RankedCandidates:
    """All candidates, ranked."""
    return RankedCandidates([one.match.lesion_scores for one in cases], [one.match.false_alarm_scores for one in cases])


def size_figures(cases: Sequence[MatchedCase]) -> dict[str, tuple[int, Figure]]:
    """How many lesions there are of each size class, and the share found; sizes are diameters of equal spheres."""
    strata = {}
    for name, low, high in SIZES_MM:
        found, of = [], []
        for one in cases:
            inside = [_is_between(2 * (lesion.radius_mm or 0), low, high) for lesion in one.case.lesions]
            hit = np.isfinite(one.reported.lesion_scores)
            found.append(sum(bool(a and b) for a, b in zip(inside, hit, strict=True)))
            of.append(sum(inside))
        strata[name] = (sum(of), Figure(f"sensitivity, {name}", share(found, of), True))
    return strata


def _is_between(diameter_mm: float, low: float, high: float) -> bool:
    """Whether a diameter is in a class: from low to below high, but 10 mm belongs to the class that ends there."""
    if not diameter_mm:
        return False
    if high == 0:
        return diameter_mm > low
    return low <= diameter_mm < high or (high == SIZES_MM[-1][1] and diameter_mm == high)


def case_figures(cases: Sequence[MatchedCase]) -> list[Figure]:
    """Cases with lesions against cases with something reported."""
    ill, called = ill_and_called(cases)
    tp, fp, fn, tn = confusion(ill, called)
    figures = [
        Figure("sensitivity", share(tp, ill), True),
        Figure("specificity", share(tn, ~ill), True),
        Figure("ppv", share(tp, called), True),
        Figure("npv", share(tn, ~called), True),
        Figure("f1", share(2 * tp.astype(float), 2.0 * tp + fp + fn), True),
    ]
    if is_scored([one.case for one in cases]):
        figures.append(Figure("auroc", auroc([one.score for one in cases], ill)))
    return figures


BoolArray = npt.NDArray[np.bool_]


def ill_and_called(cases: Sequence[MatchedCase]) -> tuple[BoolArray, BoolArray]:
    """Which cases have lesions, and which something reported."""
    ill = np.array([bool(one.case.lesions) for one in cases])
    return ill, np.array([any(found.reported for found in one.case.found) for one in cases])


def confusion(ill: BoolArray, called: BoolArray) -> tuple[BoolArray, BoolArray, BoolArray, BoolArray]:
    """True positives, false positives, false negatives, true negatives."""
    return ill & called, ~ill & called, ill & ~called, ~ill & ~called


@dataclass(frozen=True)
class VoxelCase:
    """One case's voxel measures, over all and lesion by lesion."""

    case: str
    whole: VoxelMeasures
    by_lesion: LesionWise


class VoxelLevel:
    """The voxel measures of the cases that have both maps; worked out once.

    Args:
        cases: All cases of the study.
    """

    def __init__(self, cases: Sequence[StudyCase]) -> None:
        self._cases = cases

    @cached_property
    def measured(self) -> tuple[VoxelCase | None, ...]:
        """One a case; None where there is a map missing.

        Raises:
            CasesError: Two maps lie on different grids.
        """
        return tuple(map(_voxel_case, self._cases))

    @property
    def is_there(self) -> bool:
        """Whether any case could be measured."""
        return any(one is not None for one in self.measured)

    def values(self, name: str) -> list[float]:
        """One measure of :class:`VoxelMeasures`, case by case; not-a-number where there is none."""
        return [np.nan if one is None else float(getattr(one.whole, name)) for one in self.measured]

    @property
    def volume_differences_mm3(self) -> npt.NDArray[np.float64]:
        """Found less true, case by case."""
        found, true = (np.array(self.values(name), dtype=np.float64) for name in ("volume_mm3", "reference_mm3"))
        difference: npt.NDArray[np.float64] = found - true
        return difference

    def figures(self) -> list[Figure]:
        """Means over cases, and Bland and Altman's (Lancet 327:307, 1986) bias and limits of agreement of volumes."""
        names = ("dice", "iou", "surface_dice_1mm", "surface_dice_2mm", "hd95_mm", "assd_mm")
        figures = [Figure(name, mean(self.values(name))) for name in names]
        dice = [np.nan if one is None else one.by_lesion.mean_dice for one in self.measured]
        hd95 = [np.nan if one is None else one.by_lesion.mean_hd95_mm for one in self.measured]
        figures += [Figure("lesion_wise_dice", mean(dice)), Figure("lesion_wise_hd95_mm", mean(hd95))]
        differences = self.volume_differences_mm3
        figures.append(Figure("volume_bias_mm3", mean(differences)))
        figures += [
            Figure(f"volume_limit_{name}_mm3", _limit(differences, sign)) for name, sign in (("low", -1), ("high", 1))
        ]
        return figures


def _limit(differences: npt.NDArray[np.float64], sign: int) -> Statistic:
    """Mean plus or minus 1.96 sample deviations."""
    known = np.isfinite(differences)
    values = np.where(known, differences, 0.0)

    def statistic(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        count = weights @ known
        with np.errstate(invalid="ignore", divide="ignore"):
            centre = (weights @ values) / count
            spread = (weights @ values**2) / count - centre**2
            result = centre + sign * 1.96 * np.sqrt(np.maximum(spread, 0) * count / (count - 1))
        return np.asarray(np.where(count > 1, result, np.nan))

    return statistic


def _voxel_case(case: StudyCase) -> VoxelCase | None:
    if case.found_map is None or case.lesion_map is None:
        return None
    segmentation, truth = case.found_map(), case.lesion_map()
    if not segmentation.geometry.matches(truth.geometry, tolerance_mm=1e-3):
        raise CasesError(
            f"Case '{case.case}': the segmentation and the reference lie on different voxel grids "
            f"({segmentation.geometry.shape_zyx} and {truth.geometry.shape_zyx} voxels, or other places). "
            "Resample one onto the other's grid, or leave the voxel level out (--levels lesion,case)."
        )
    found, reference = segmentation.array != 0, truth.array != 0
    spacing = segmentation.geometry.spacing_zyx_mm
    return VoxelCase(case.case, measure_voxels(found, reference, spacing), lesion_wise(found, reference, spacing))
