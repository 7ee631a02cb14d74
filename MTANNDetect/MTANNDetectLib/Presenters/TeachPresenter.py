"""What can be learnt from, and what to say of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..Review.Findings import NEW, REJECTED, Finding
from ..Translation import _

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")


@dataclass(frozen=True)
class ReviewedCase:
    """A result of the scene as a case to learn from.

    Attributes:
        id: The table node's id.
        name: The image's name.
        lesions: How many findings the reader took for lesions.
        nonLesions: How many the reader rejected.
        undecided: How many wait for a decision; they are not learnt from.
    """

    id: str
    name: str
    lesions: int
    nonLesions: int
    undecided: int

    @property
    def isUseful(self) -> bool:
        """Whether there is anything to learn."""
        return self.lesions + self.nonLesions > 0


def reviewedCase(tableId: str, name: str, findings: Sequence[Finding], threshold: float) -> ReviewedCase:
    """A result in numbers."""
    return ReviewedCase(
        tableId,
        name,
        sum(one.isConfirmed for one in findings),
        sum(one.status == REJECTED for one in findings),
        sum(one.status == NEW and one.isShown(threshold) for one in findings),
    )


def caseText(case: ReviewedCase) -> str:
    """A case's line in the list, such as "FLAIR: lesions 3, rejected 2, undecided 1"."""
    return _("{name}: lesions {lesions}, rejected {wrong}, undecided {open}").format(
        name=case.name, lesions=case.lesions, wrong=case.nonLesions, open=case.undecided
    )


def advice(cases: Sequence[ReviewedCase]) -> str:
    """What to know before teaching."""
    if not cases:
        return _("Review a result first: accept or add lesions, reject what is none.")
    if len(cases) == 1:
        return _("With one case alone, the threshold is chosen on what the model has seen. Two or more are better.")
    return ""


def whyNotTrain(chosen: Sequence[ReviewedCase], caseFile: str, name: str) -> str:
    """Why training cannot start, or nothing."""
    if not caseFile.strip():
        if not chosen:
            return _("Tick a reviewed result, or choose a list of cases.")
        if not any(case.lesions for case in chosen):
            return _("No ticked result has an accepted or added lesion.")
    return whyNotName(name)


def whyNotRetrain(chosen: Sequence[ReviewedCase], caseFile: str, name: str, kind: str) -> str:
    """Why retraining cannot start, or nothing."""
    if kind != "mtann":
        return _("Only MTANN models can be retrained. Choose one under 'Images and model'.")
    if not caseFile.strip() and not any(case.isUseful for case in chosen):
        return _("No ticked result has a decision. Accept, add or reject findings first.")
    return whyNotName(name)


def whyNotName(name: str) -> str:
    """Why a model cannot be called this, or nothing."""
    if _NAME.fullmatch(name.strip()):
        return ""
    return _("The model's name must begin with a letter or digit; then letters, digits, dots, dashes and blanks.")
