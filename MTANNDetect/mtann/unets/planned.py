"""The plan that a training follows, and its cases."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mtann.cases import read_case_list
from mtann.data_set import read_data_set
from mtann.errors import CasesError, ModelError
from mtann.planning.plan import Plan

PLAN_FILE = "plan.json"


@dataclass(frozen=True)
class PlannedCase:
    """A case to learn from.

    Attributes:
        case: Its name.
        patient: Cases of one patient never stand on both sides of a split.
        channels: Image files, in the plan's order.
        labels: Label map.
    """

    case: str
    patient: str
    channels: tuple[Path, ...]
    labels: Path


def read_plan(directory: Path) -> Plan:
    """The plan in a folder.

    Raises:
        ModelError: There is none, or it is not valid.
    """
    path = directory / PLAN_FILE
    if not path.is_file():
        raise ModelError(f"'{directory}' has no {PLAN_FILE}. Make one with 'mtann plan', or give its folder to --plan.")
    try:
        return Plan.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        first = " ".join(str(error).split())[:200]
        raise ModelError(f"The plan '{path}' is not valid ({first}). Plan again with 'mtann plan'.") from error


def read_cases(path: Path, plan: Plan) -> tuple[PlannedCase, ...]:
    """The cases of a list or of nnU-Net's raw folder, with the plan's channels and a label map each.

    Raises:
        CasesError: A column or a file is missing; the message names it.
    """
    if path.is_dir():
        return _cases_of_folder(path, plan)
    found = []
    for files in read_case_list(path, plan.channels, needs=["lesions"]):
        if files.lesions is None:
            raise CasesError(f"Case '{files.case}' has no label map. Fill the column 'lesions'.")
        channels = tuple(files.channels[name] for name in plan.channels)
        found.append(PlannedCase(files.case, files.patient, channels, files.lesions))
    return tuple(found)


def _cases_of_folder(path: Path, plan: Plan) -> tuple[PlannedCase, ...]:
    data_set = read_data_set(path)
    if data_set.channels != plan.channels:
        raise CasesError(
            f"'{path.name}' has the channels {', '.join(data_set.channels)}; the plan was made for "
            f"{', '.join(plan.channels)}. Give the data set that was planned, or plan anew."
        )
    return tuple(PlannedCase(one.case, one.patient, one.channels, one.labels) for one in data_set.cases)
