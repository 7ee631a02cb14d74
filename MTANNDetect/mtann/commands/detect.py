"""``mtann detect``: find lesions in one case, or in a list of cases."""

import argparse
import os
from pathlib import Path
from typing import Any

from mtann.cases import CaseFiles, read_case_list
from mtann.commands.console import Console, explain
from mtann.commands.inputs import add_images, named_files
from mtann.commands.options import add_common, add_device, add_settings, read_settings
from mtann.commands.resume import is_done, request_of
from mtann.commands.table import candidate_table
from mtann.detection.candidate import DetectionResult
from mtann.errors import CancelledError, MTANNError, SettingsError
from mtann.models.bundle import ModelBundle
from mtann.models.catalogue import open_model
from mtann.output_folder import check_output, recover_folder
from mtann.pipeline import detect, resolve_threshold
from mtann.progress import Progress
from mtann.report.documents import result_document
from mtann.report.save import RESULT_FOLDER, save_result
from mtann.settings import DetectionSettings
from mtann.volume import Volume
from mtann.volume_io import read_volume


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    add_images(parser)
    parser.add_argument("--model", required=True, help="folder of a model bundle, or the name of a bundled model")
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder for the result; a former result there is replaced",
    )
    parser.add_argument(
        "--cases",
        type=Path,
        metavar="CSV",
        help="a list of cases; each gets its own folder within DIR, and finished ones are skipped",
    )
    parser.add_argument(
        "--mask", type=Path, metavar="IMAGE", help="where to look: non-zero voxels, for example a brain mask"
    )
    parser.add_argument(
        "--threshold", type=float, metavar="X", help="score from which candidates are reported (default: the model's)"
    )
    parser.add_argument(
        "--operating-point", default="balanced", help="which of the model's thresholds to use (default: balanced)"
    )
    add_device(parser)
    add_common(parser)
    add_settings(parser, DetectionSettings, "how candidates are found (defaults are the model's own)")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    if arguments.cases and (arguments.images or arguments.channel or arguments.mask):
        raise SettingsError("Give either images or --cases, not both; with --cases the list names images and masks.")
    if not arguments.cases:
        recover_folder(arguments.output, RESULT_FOLDER)
        check_output(arguments.output, RESULT_FOLDER)
    bundle = open_model(arguments.model)
    settings = read_settings(arguments, bundle.card.detection)
    if arguments.cases:
        return _run_cases(arguments, console, bundle, settings)
    files = named_files(arguments.images, arguments.channel, bundle.card)
    result = _run_case(arguments, console, bundle, settings, files, arguments.mask, arguments.output)
    console.say(candidate_table(result.candidates))
    console.say(
        f"{len(result.reported)} of {len(result.candidates)} candidates reach the threshold {result.threshold:.3f} "
        f"({result.threshold_origin})."
    )
    console.say(f"Written to {arguments.output}: see report.html. Research software; review every result.")
    console.finish({"output": str(arguments.output), **result_document(result)})
    return 0


def _run_case(
    arguments: argparse.Namespace,
    console: Console,
    bundle: ModelBundle,
    settings: DetectionSettings,
    files: dict[str, Path],
    mask_file: Path | None,
    output: Path,
) -> DetectionResult:
    console.progress(Progress("read", 0.0, "Reading images"))
    volumes = {name: read_volume(file, arguments.series) for name, file in files.items()}
    mask = read_volume(mask_file, arguments.series) if mask_file else None
    result = detect(
        volumes,
        bundle,
        settings,
        mask=mask,
        threshold=arguments.threshold,
        operating_point=arguments.operating_point,
        device=arguments.device,
        progress=console.progress,
    )
    for warning in result.warnings:
        console.warn(warning)
    first: Volume = volumes[bundle.card.inputs.channels[0].name]
    save_result(result, first, output, bundle.card.intended_use)
    console.end_progress()
    return result


def _run_cases(
    arguments: argparse.Namespace, console: Console, bundle: ModelBundle, settings: DetectionSettings
) -> int:
    cases = read_case_list(arguments.cases, [channel.name for channel in bundle.card.inputs.channels])
    outcomes: list[dict[str, Any]] = []
    for number, case in enumerate(cases, start=1):
        outcome = _one_of_many(arguments, console, bundle, settings, case)
        console.say(f"[{number}/{len(cases)}] {case.case}: {outcome['message']}")
        outcomes.append(outcome)
    failed = [outcome["case"] for outcome in outcomes if outcome["status"] == "failed"]
    console.finish({"output": str(arguments.output), "cases": outcomes})
    if failed:
        console.warn(
            f"{len(failed)} of {len(cases)} cases failed: {', '.join(failed)}. "
            "Mend them and run the same command again; finished cases are skipped."
        )
    return 2 if failed else 0


def _one_of_many(
    arguments: argparse.Namespace, console: Console, bundle: ModelBundle, settings: DetectionSettings, case: CaseFiles
) -> dict[str, Any]:
    """Run one case of a list. A case that fails, be it by a defect of ours, is told and does not stop the others."""
    output = arguments.output / case.case
    try:
        recover_folder(output, RESULT_FOLDER)
        check_output(output, RESULT_FOLDER)
        threshold = resolve_threshold(bundle.card, arguments.threshold, arguments.operating_point)[0]
        request = request_of(bundle, settings, case, threshold, arguments.series)
        if is_done(output, request):
            return {
                "case": case.case,
                "status": "skipped",
                "message": "already done with the same images, model and settings",
            }
        result = _run_case(arguments, console, bundle, settings, case.channels, case.mask, output)
    except CancelledError:
        raise
    except Exception as error:
        if os.environ.get("MTANN_TRACEBACK") and not isinstance(error, (MTANNError, MemoryError)):
            raise
        return {"case": case.case, "status": "failed", "message": explain(error)[1]}
    found = f"{len(result.reported)} reported, {len(result.candidates) - len(result.reported)} below the threshold"
    return {"case": case.case, "status": "done", "reported": len(result.reported), "message": found}
