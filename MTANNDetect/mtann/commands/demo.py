"""``mtann demo``: the main job on a synthetic head with known lesions, without network and without training."""

import argparse
import json
from pathlib import Path

import numpy as np

from mtann.commands.console import Console
from mtann.commands.options import add_common, add_device
from mtann.commands.table import candidate_table
from mtann.detection.candidate import DetectionResult
from mtann.evaluation.matching import HIT_CRITERION, match
from mtann.models.catalogue import open_model
from mtann.output_folder import FolderKind, check_output, recover_folder, replace_folder
from mtann.phantoms.head import Phantom, head_phantom
from mtann.pipeline import detect
from mtann.progress import Progress
from mtann.report.documents import result_document
from mtann.report.save import RESULT_FOLDER, save_result
from mtann.sampling.lesions import lesions_from_label_map
from mtann.volume_io import write_volume

DEMO_MODEL = "head-phantom-t1c"
PHANTOM_FOLDER = FolderKind(
    "demonstration phantom", "truth.json", ("seed", "lesions"), ("head.nii.gz", "lesions.nii.gz", "truth.json")
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument(
        "--output", type=Path, default=Path("mtann-demo"), metavar="DIR", help="where to write (default: mtann-demo)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="which phantom; the model was taught on seeds from 1000 (default: 0)"
    )
    add_device(parser)
    add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    result_folder, phantom_folder = arguments.output / "result", arguments.output / "phantom"
    for folder, kind in ((result_folder, RESULT_FOLDER), (phantom_folder, PHANTOM_FOLDER)):
        recover_folder(folder, kind)
        check_output(folder, kind)
    bundle = open_model(DEMO_MODEL)
    console.progress(Progress("phantom", 0.0, "Making a head phantom with eight lesions"))
    phantom = head_phantom(arguments.seed)
    _save_phantom(phantom, arguments.seed, phantom_folder)
    result = detect(phantom.volume, bundle, device=arguments.device, progress=console.progress)
    save_result(result, phantom.volume, result_folder, bundle.card.intended_use)
    document = _tell(console, result, phantom)
    console.say(f"Picture: {result_folder / 'overlay.png'}")
    console.say(f"Report:  {result_folder / 'report.html'}")
    console.say(
        f"Image:   {phantom_folder / 'head.nii.gz'} (truth beside it); likelihood and outlines in {result_folder}"
    )
    console.finish({"output": str(arguments.output), **document, "result": result_document(result)})
    return 0


def _tell(console: Console, result: DetectionResult, phantom: Phantom) -> dict[str, object]:
    lesions = lesions_from_label_map(phantom.labels, keep_instances=True)
    hits = match(result.candidates, lesions).hits
    remarks = [
        f"  true lesion {phantom.lesions[hit].label}, {phantom.lesions[hit].kind}, "
        f"{phantom.lesions[hit].diameter_mm:.1f} mm"
        if hit is not None
        else "  false alarm"
        for hit in hits
    ]
    reported = match(result.reported, lesions)
    found = int(np.isfinite(reported.lesion_scores).sum())
    alarms = len(reported.false_alarm_scores)
    console.say(candidate_table(result.candidates, remarks))
    console.say(
        f"Found {found} of {len(lesions)} lesions with {alarms} false alarm(s) at threshold {result.threshold:.3f}."
    )
    for lesion, score in zip(phantom.lesions, reported.lesion_scores, strict=True):
        if not np.isfinite(score):
            console.say(f"Missed: lesion {lesion.label}, {lesion.kind}, {lesion.diameter_mm:.1f} mm.")
    console.say(
        f"A hit is {HIT_CRITERION}. A phantom shows that the software works; it is no evidence of accuracy in patients."
    )
    return {"lesions": len(lesions), "found": found, "false_alarms": alarms}


def _save_phantom(phantom: Phantom, seed: int, folder: Path) -> None:
    truth = {
        "seed": seed,
        "lesions": [
            {
                "label": lesion.label,
                "centre_lps_mm": lesion.centre_lps_mm,
                "diameter_mm": lesion.diameter_mm,
                "kind": lesion.kind,
                "touches_vessel": lesion.touches_vessel,
            }
            for lesion in phantom.lesions
        ],
    }
    with replace_folder(folder, PHANTOM_FOLDER) as work:
        write_volume(phantom.volume, work / "head.nii.gz")
        write_volume(phantom.labels, work / "lesions.nii.gz")
        (work / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
