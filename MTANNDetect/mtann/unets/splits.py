"""Which cases each fold holds out: by patient, made once and kept beside the training."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtann.data_set import LabelledCase
from mtann.errors import CasesError, SettingsError
from mtann.sampling.folds import patient_folds
from mtann.unets.files import write_json

SPLITS_FILE = "splits.json"
ALL = "all"
"""The fold that holds out nothing."""


@dataclass(frozen=True)
class Split:
    """Cases to learn from, and those held out; with fold ``all`` both are all."""

    training: tuple[LabelledCase, ...]
    held_out: tuple[LabelledCase, ...]


def make_splits(cases: Sequence[LabelledCase], folds: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """The names of the cases that each fold holds out.

    Raises:
        CasesError: There are fewer patients than folds.
    """
    patients = [case.patient for case in cases]
    if len(set(patients)) < folds:
        raise CasesError(
            f"{folds} folds need at least {folds} patients, but the cases are of {len(set(patients))}. "
            f"Give --folds a number from 2 to {len(set(patients))}, add patients, or train on all with --fold all."
        )
    return tuple(tuple(cases[number].case for number in held_out) for held_out in patient_folds(patients, folds, seed))


def read_splits(directory: Path, cases: Sequence[LabelledCase], folds: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """The splits kept in a folder, made now if there are none; whoever wants others may edit the file first.

    Raises:
        CasesError: The file is damaged, is of other cases or another number of folds, or splits a patient's cases.
    """
    path = directory / SPLITS_FILE
    if not path.is_file():
        made = make_splits(cases, folds, seed)
        write_json(path, {"schema_version": 1, "seed": seed, "held_out": [list(names) for names in made]})
        return made
    try:
        read = [[str(name) for name in names] for names in json.loads(path.read_text(encoding="utf-8"))["held_out"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CasesError(f"'{path}' cannot be read ({error}). Delete it to have it made anew.") from error
    found, wanted = sorted(name for names in read for name in names), sorted(case.case for case in cases)
    if found != wanted or len(read) != folds:
        raise CasesError(
            f"'{path}' splits {len(found)} cases into {len(read)} folds; planned are {len(wanted)} cases, asked for "
            f"{folds} folds, each case held out once. Give the former cases and --folds, or another output folder."
        )
    patients = {case.case: case.patient for case in cases}
    seen: dict[str, int] = {}
    for fold, names in enumerate(read):
        if not names:
            raise CasesError(f"'{path}' has a fold {fold} that holds out no case. Give each at least one.")
        for name in names:
            if seen.setdefault(patients[name], fold) != fold:
                raise CasesError(
                    f"'{path}' holds out cases of patient '{patients[name]}' in folds {seen[patients[name]]} and "
                    f"{fold}: networks would be tried on patients that they know. Put all cases of a patient into "
                    "one fold."
                )
    return tuple(tuple(names) for names in read)


def read_fold(text: str, folds: int) -> str:
    """The name of a fold, checked.

    Raises:
        SettingsError: There is no such fold.
    """
    if text == ALL or (text.isdecimal() and int(text) < folds):
        return text if text == ALL else str(int(text))
    raise SettingsError(f"There is no fold '{text}'. Give --fold a number from 0 to {folds - 1}, or 'all'.")


def split_of(cases: Sequence[LabelledCase], splits: Sequence[Sequence[str]], fold: str) -> Split:
    """What a fold learns from, and what it is judged by."""
    if fold == ALL:
        return Split(tuple(cases), tuple(cases))
    out = set(splits[int(fold)])
    return Split(
        tuple(case for case in cases if case.case not in out), tuple(case for case in cases if case.case in out)
    )
