"""Taught on two chest CTs, tried on a third as a DICOM folder: that the way works on CT and DICOM, end to end.

Three nodules are no evidence of accuracy; the rank has no target. Data: Armato et al., Med Phys 38:915, 2011,
doi 10.7937/K9/TCIA.2015.LO9QL9SX (CC BY 3.0).

    python Testing/dev.py bench lidc [--output DIR]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from real_scans import scans_folder

from mtann.cases import TrainingCase
from mtann.evaluation.matching import match
from mtann.pipeline import detect
from mtann.report.save import save_result
from mtann.sampling.lesions import read_lesions
from mtann.teach import train
from mtann.volume_io import read_volume

TRAINING, UNSEEN = ("LIDC-IDRI-0003", "LIDC-IDRI-0314"), "LIDC-IDRI-0001"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="keep the result here")
    arguments = parser.parse_args()
    scans = scans_folder() / "lidc"
    cases = [
        TrainingCase(
            name, name, (read_volume(scans / name / "ct.nii.gz"),), read_lesions(scans / name / "nodule.nii.gz")
        )
        for name in TRAINING
    ]
    start = time.perf_counter()
    model = train(cases, name="nodules", channels=("ct",), class_name="nodule", device="cpu")
    taught = time.perf_counter() - start
    volume = read_volume(scans / UNSEEN / "dicom")
    result = detect(volume, model, device="cpu")
    with tempfile.TemporaryDirectory() as temporary:
        save_result(result, volume, (arguments.output or Path(temporary)) / "result")
    truth = read_volume(scans / UNSEEN / "nodule.nii.gz")
    print(
        f"geometry of the DICOM series equal to its annotation's to 1e-4 mm: {volume.geometry.matches(truth.geometry)}"
    )
    print(f"training {taught:.0f} s, detection {time.perf_counter() - start - taught:.0f} s")
    hits = match(result.candidates, read_lesions(scans / UNSEEN / "nodule.nii.gz")).hits
    ranks = [number for number, hit in enumerate(hits, start=1) if hit is not None]
    place = f"candidate {ranks[0]}" if ranks else "not found"
    print(f"the nodule is {place} of {len(hits)} ({len(result.reported)} reported).")
    print("Three nodules are no evidence of accuracy.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
