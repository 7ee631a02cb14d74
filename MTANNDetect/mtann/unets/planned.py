"""The plan that a training follows, and its cases."""

from pathlib import Path

from pydantic import ValidationError

from mtann.cases import read_case_list
from mtann.data_set import LABEL_COLUMN, LabelledCase, read_data_set
from mtann.errors import CasesError, ModelError
from mtann.planning.files import PLAN_FILE
from mtann.planning.plan import Plan


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


def read_cases(path: Path, plan: Plan) -> tuple[LabelledCase, ...]:
    """The cases of ``CASES.csv`` or of nnU-Net's raw folder, with the plan's channels and a label map each.

    Raises:
        CasesError: A column, a channel or a file is missing; the message names it.
    """
    if path.is_dir():
        data_set = read_data_set(path)
        if data_set.channels != plan.channels:
            raise CasesError(
                f"'{path.name}' has the channels {', '.join(data_set.channels)}, but the plan those of "
                f"another data set: {', '.join(plan.channels)}. Give the data set that was planned for, or plan again."
            )
        return data_set.cases
    found = []
    for files in read_case_list(path, plan.channels, needs=[LABEL_COLUMN]):
        if files.lesions is None:
            raise CasesError(f"Case '{files.case}' has no label map. Fill the column '{LABEL_COLUMN}'.")
        channels = tuple(files.channels[name] for name in plan.channels)
        found.append(LabelledCase(files.case, files.patient, channels, files.lesions))
    return tuple(found)
