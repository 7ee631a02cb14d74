"""Lists of cases: a CSV file with one case a row."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtann.errors import CasesError
from mtann.sampling.lesions import Lesion, check_inside, read_lesions
from mtann.volume import Volume, check_intensities
from mtann.volume_io import read_volume

_FILES = ("mask", "lesions", "non_lesions", "candidates", "target")
_RESERVED = ("case", "patient", *_FILES)


@dataclass(frozen=True)
class CaseFiles:
    """One row of a case list; paths are absolute.

    Attributes:
        case: Unique name; also the name of its result folder.
        patient: Cases of one patient never stand on both sides of a split.
        channels: Image path by channel name.
        mask: Label map within which to look, or None.
        lesions: Label map or points file, or None.
        subgroups: The remaining columns.
        non_lesions: Label map or points file of places known to be no lesion, or None.
        candidates: What a detector has found: label map, points file or a result's ``candidates.json``; or None.
        target: Image that the first channel is to be turned into, or None.
    """

    case: str
    patient: str
    channels: dict[str, Path]
    mask: Path | None = None
    lesions: Path | None = None
    subgroups: dict[str, str] = field(default_factory=dict)
    non_lesions: Path | None = None
    candidates: Path | None = None
    target: Path | None = None


@dataclass(frozen=True)
class TrainingCase:
    """One case to learn from: its channels in order, its lesions, where tissue is, and places known to be no lesion."""

    case: str
    patient: str
    channels: tuple[Volume, ...]
    lesions: tuple[Lesion, ...]
    mask: Volume | None = None
    non_lesions: tuple[Lesion, ...] = ()

    def __post_init__(self) -> None:
        if not self.channels:
            raise CasesError(f"Case '{self.case}' has no image. Give at least one channel.")
        check_inside((*self.lesions, *self.non_lesions), self.channels[0].geometry, self.case)


def read_case_list(
    path: Path | str, channels: Sequence[str] = (), needs: Sequence[str] = (), *, needs_images: bool = True
) -> tuple[CaseFiles, ...]:
    """Read ``CASES.csv``: ``case, patient, <one column a channel>`` and any of the other columns of :class:`CaseFiles`.

    Other columns are subgroups.

    Args:
        path: The list; the paths in it are relative to its folder.
        channels: Which columns are channels. If empty, every column that names an existing file in some row.
        needs: Columns besides the channels that must be there and filled, such as ``lesions``.
        needs_images: Whether a list without any column of images is refused.

    Raises:
        CasesError: A column, value or file is missing, or a case stands twice; the message names it.
    """
    path = Path(path)
    columns, rows = _read_rows(path)
    required = ["case", "patient", *channels, *needs]
    missing = [column for column in required if column not in columns]
    if missing:
        raise CasesError(
            f"'{path.name}' lacks the column(s) {', '.join(missing)}; it has {', '.join(columns)}. "
            "Add them, one value a case."
        )
    names = tuple(channels) or tuple(
        c for c in columns if c not in _RESERVED and any(_exists(path, row[c]) for row in rows)
    )
    if not names and needs_images:
        raise CasesError(
            f"'{path.name}' has no column with images. Add one column a channel, with image paths relative to the list."
        )
    cases = tuple(_case_files(path, row, names, needs) for row in rows)
    seen: set[str] = set()
    for case in cases:
        if case.case.lower() in seen:
            raise CasesError(
                f"'{path.name}' lists case '{case.case}' twice (upper and lower case count as one). "
                "Give each row its own name."
            )
        seen.add(case.case.lower())
    return cases


def case_columns(path: Path | str) -> tuple[str, ...]:
    """The names of a case list's columns.

    Raises:
        CasesError: The list cannot be read.
    """
    return tuple(_read_rows(Path(path))[0])


def _read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CasesError(
            f"The case list '{path}' cannot be read ({error}). Check the path; it must be a CSV file in UTF-8."
        ) from error
    reader = csv.DictReader(text.splitlines())
    columns = [(column or "").strip() for column in reader.fieldnames or []]
    reader.fieldnames = columns
    try:
        rows = [{key: (value or "").strip() for key, value in row.items() if isinstance(key, str)} for row in reader]
    except csv.Error as error:
        raise CasesError(f"The case list '{path.name}' is damaged ({error}). Save it again as a CSV file.") from error
    if not rows:
        raise CasesError(f"The case list '{path.name}' holds no case. Add a header line and one line a case.")
    if len(set(columns)) != len(columns):
        raise CasesError(
            f"The case list '{path.name}' has a column twice: {', '.join(columns)}. Give each its own name."
        )
    return columns, rows


def _exists(list_path: Path, value: str) -> bool:
    try:
        return bool(value) and (list_path.parent / value).exists()
    except OSError:  # a remark can be longer than a file name may be
        return False


def _case_files(list_path: Path, row: dict[str, str], channels: Sequence[str], needs: Sequence[str]) -> CaseFiles:
    case = row["case"]
    if not case or any(character in case for character in '/\\:*?"<>|') or case.startswith("."):
        raise CasesError(
            f"'{list_path.name}' has the case name '{case}'; it names the result folder, "
            "so it needs letters, digits, '-', '_' or spaces."
        )
    # Windows drops dots and spaces at the end; with the other ending a former result is put aside.
    if case.lower().endswith((".", " ", ".previous")):
        raise CasesError(
            f"'{list_path.name}' has the case name '{case}'; it names the result folder, "
            "so it may not end in a dot, a space or '.previous'."
        )
    if not row["patient"]:
        raise CasesError(
            f"Case '{case}' in '{list_path.name}' names no patient. "
            "Fill the column 'patient'; any code will do, the same for all scans of a patient."
        )
    files = {column: _file(list_path, row, column, case) for column in (*channels, *_FILES) if row.get(column)}
    for column in (*channels, *needs):
        if column not in files:
            raise CasesError(
                f"Case '{case}' in '{list_path.name}' has no file in column '{column}'. "
                "Add its path relative to the list."
            )
    rest = {key: value for key, value in row.items() if key not in (*_RESERVED, *channels)}
    images = {name: files[name] for name in channels}
    given = {column: files.get(column) for column in _FILES}
    return CaseFiles(case, row["patient"], images, subgroups=rest, **given)


def _file(list_path: Path, row: dict[str, str], column: str, case: str) -> Path:
    path = (list_path.parent / row[column]).absolute()
    if not _exists(list_path, row[column]):
        raise CasesError(
            f"Case '{case}': the file '{row[column]}' in column '{column}' does not exist. "
            f"Paths are relative to '{list_path.name}'."
        )
    return path


def load_training_case(
    files: CaseFiles, values: Sequence[int] = (), keep_instances: bool = False, series: str | None = None
) -> TrainingCase:
    """Read everything that one row names.

    Args:
        files: The row.
        values: Which label values are lesions; all non-zero ones if empty.
        keep_instances: Whether each label value is one lesion; else each connected component is.
        series: Which DICOM series, by number or UID, where a folder holds several.

    Raises:
        MTANNError: A file cannot be used; the message names it.
    """
    channels = tuple(check_intensities(read_volume(path, series)) for path in files.channels.values())
    lesions = read_lesions(files.lesions, values, keep_instances, series) if files.lesions else ()
    non_lesions = read_lesions(files.non_lesions, (), keep_instances, series) if files.non_lesions else ()
    mask = read_volume(files.mask, series) if files.mask else None
    return TrainingCase(files.case, files.patient, channels, lesions, mask, non_lesions)
