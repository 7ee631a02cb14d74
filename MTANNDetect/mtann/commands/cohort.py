"""Running a command over a list of cases: what one case cannot do is told, and the others go on."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mtann.cases import CaseFiles
from mtann.commands.console import Console, explain
from mtann.errors import CancelledError, MTANNError
from mtann.output_folder import FolderKind, check_output, recover_folder

Outcome = dict[str, Any]
CaseWork = Callable[[CaseFiles, Path], Outcome | None]
"""Runs a case into a folder; gives ``message`` and what else is to be told of it, or None if it was done before."""


def run_cohort(cases: Sequence[CaseFiles], output: Path, kind: FolderKind, console: Console, work: CaseWork) -> int:
    """Run every case into a folder of its own within ``output``; returns the exit code, 2 if a case failed.

    Raises:
        CancelledError: The user asked to stop.
    """
    outcomes = []
    for number, case in enumerate(cases, start=1):
        outcome = {"case": case.case, **_run_case(case, output / case.case, kind, work)}
        console.say(f"[{number}/{len(cases)}] {case.case}: {outcome['message']}")
        outcomes.append(outcome)
    failed = [outcome["case"] for outcome in outcomes if outcome["status"] == "failed"]
    console.finish({"output": str(output), "cases": outcomes})
    if failed:
        console.warn(
            f"{len(failed)} of {len(cases)} cases failed: {', '.join(failed)}. "
            "Mend them and run the same command again; finished cases are skipped."
        )
    return 2 if failed else 0


def _run_case(case: CaseFiles, output: Path, kind: FolderKind, work: CaseWork) -> Outcome:
    """One case that fails, be it by a defect of ours, is told and does not stop the others."""
    try:
        recover_folder(output, kind)
        check_output(output, kind)
        done = work(case, output)
    except CancelledError:
        raise
    except Exception as error:
        if os.environ.get("MTANN_TRACEBACK") and not isinstance(error, (MTANNError, MemoryError)):
            raise
        return {"status": "failed", "message": explain(error)[1]}
    if done is None:
        return {"status": "skipped", "message": "already done with the same images, model and settings"}
    return {"status": "done", **done}
