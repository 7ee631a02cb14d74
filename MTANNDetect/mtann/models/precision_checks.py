"""Checks of a model in less than fp32 that were made here, kept in the user's data folder.

A model of nnU-Net v2 has no place for them, and a bundle that is passed on keeps its checksum.
"""

import json
import os
from pathlib import Path

from platformdirs import user_data_path
from pydantic import TypeAdapter, ValidationError

from mtann.backends.computation import ChosenBackend, ChosenPrecision, Permission
from mtann.errors import OutputError
from mtann.models.unet_card import ReducedCheck, UNetCard

_CHECKS = TypeAdapter(tuple[ReducedCheck, ...])


def checks_folder() -> Path:
    """The folder, by the platform's convention; it need not exist, and can be deleted at any time."""
    return user_data_path("MTANNDetect", appauthor=False) / "precision"


def remembered_checks(sha256: str) -> tuple[ReducedCheck, ...]:
    """The checks of the model with this checksum; none where the file is missing or damaged."""
    try:
        return _CHECKS.validate_python(json.loads(_file(sha256).read_text(encoding="utf-8"))["checks"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return ()


def remember_check(sha256: str, check: ReducedCheck) -> Path:
    """Keep a check, in place of a former one of the same backend and precision; tells where.

    Raises:
        OutputError: The folder cannot be written.
    """
    same = (check.backend, check.precision)
    others = [one for one in remembered_checks(sha256) if (one.backend, one.precision) != same]
    document = {"schema_version": 1, "checks": [one.model_dump(mode="json") for one in (*others, check)]}
    path = _file(sha256)
    work = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        work.replace(path)
    except OSError as error:
        work.unlink(missing_ok=True)
        raise OutputError(
            f"The check could not be kept in '{path.parent}' ({error.strerror}). Check free disk space and permissions."
        ) from error
    return path


def permission_of(card: UNetCard, sha256: str) -> Permission:
    """Whether a model may compute in less than fp32 by itself: by the checks in its card, and those made here."""

    def ask(backend: ChosenBackend, precision: ChosenPrecision) -> tuple[bool, str]:
        checks = (*card.reduced_checks, *remembered_checks(sha256))
        # The last one counts: somebody who checks a model again wants to know better.
        own = [one for one in checks if (one.backend, one.precision) == (backend, precision)]
        if not own or own[-1].dice is None:
            return False, f"fp32 since it is not known to give the same labels in {precision}: 'mtann models check'"
        against = f"its labels in {precision} had a Dice coefficient of {own[-1].dice:.4f} against fp32"
        if own[-1].same_labels:
            return True, f"{precision} since {against}, {own[-1].words}"
        return False, f"fp32 since {against}, {own[-1].words}"

    return ask


def _file(sha256: str) -> Path:
    return checks_folder() / f"{sha256}.json"
