"""Taught on two patients with multiple sclerosis, tried on a third: that the way works on real brains, end to end.

Three patients are no evidence of accuracy; the figures have no target. Data: Lesjak et al., Neuroinformatics 2017,
doi 10.1007/s12021-017-9348-7 (CC-BY), channels flair, t1, t1c.

    python Testing/dev.py bench open_ms [--output DIR]
"""

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from real_scans import scans_folder

from mtann.cli import main as mtann
from mtann.evaluation.matching import HIT_CRITERION, match
from mtann.report.documents import read_candidates
from mtann.sampling.lesions import read_lesions
from mtann.volume_io import read_volume

CHANNELS = ("flair", "t1", "t1c")
SIX_FILES = {
    "likelihood.nii.gz",
    "candidates.nii.gz",
    "candidates.json",
    "candidates.csv",
    "overlay.png",
    "report.html",
}
TRAINING, UNSEEN = ("patient07", "patient19"), "patient26"


def run(*arguments: object) -> float:
    start = time.perf_counter()
    if code := mtann([str(argument) for argument in arguments]):
        raise SystemExit(code)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="keep the model and the result here")
    arguments = parser.parse_args()
    scans = scans_folder() / "open_ms"
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.output or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        cases = work / "cases.csv"
        with cases.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["case", "patient", *CHANNELS, "lesions"])
            for patient in TRAINING:
                files = [scans / patient / f"{name}.nii.gz" for name in (*CHANNELS, "lesions")]
                writer.writerow([patient, patient, *files])
        taught = run("train", "mtann", "--cases", cases, "--output", work / "model", "--device", "cpu")
        images = [scans / UNSEEN / f"{name}.nii.gz" for name in CHANNELS]
        detected = run("detect", *images, "--model", work / "model", "--output", work / "result", "--device", "cpu")
        report(work, scans, taught, detected)
    return 0


def report(work: Path, scans: Path, taught: float, detected: float) -> None:
    files = {path.name for path in (work / "result").iterdir()}
    image = read_volume(scans / UNSEEN / f"{CHANNELS[0]}.nii.gz")
    same = [
        read_volume(work / "result" / f"{name}.nii.gz").geometry.matches(image.geometry)
        for name in ("likelihood", "candidates")
    ]
    candidates = read_candidates(work / "result" / "candidates.json")
    lesions = read_lesions(scans / UNSEEN / "lesions.nii.gz")
    print(f"six files: {files == SIX_FILES}; geometry equal to the input's to 1e-4 mm: {all(same)}")
    print(f"training {taught:.0f} s, detection {detected:.0f} s")
    for name, chosen in (("reported", [c for c in candidates if c.reported]), ("all kept", list(candidates))):
        outcome = match(chosen, lesions)
        found = int(np.isfinite(outcome.lesion_scores).sum())
        print(f"{name}: {found} of {len(lesions)} lesions, {len(outcome.false_alarm_scores)} false alarms")
    large = [lesion for lesion in lesions if lesion.outline is not None and lesion.outline.array.sum() >= 10]
    found = np.isfinite(match([c for c in candidates if c.reported], large).lesion_scores).sum()
    print(f"reported, of those of at least 10 mm3: {found} of {len(large)}")
    print(f"A hit is {HIT_CRITERION}. Three patients are no evidence of accuracy.")


if __name__ == "__main__":
    sys.exit(main())
