"""Data sets on the disk, small enough to train on in seconds: balls in noise."""

import csv
import json
from pathlib import Path

import numpy as np
from unet_training import ball_image, small_plan

from mtann.geometry import Geometry
from mtann.planning.plan import Plan
from mtann.volume import Volume
from mtann.volume_io import write_volume

QUICK = ["--epochs", "2", "--iterations", "2", "--validation-iterations", "1", "--device", "cpu"]


def write_data_set(folder: Path, cases: int = 4, shape=(16, 14, 12), plan: Plan | None = None) -> Path:
    """Images, label maps, ``cases.csv`` and ``plan.json``; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = plan or small_plan()
    geometry = Geometry(shape, (1.0, 1.0, 1.0), (3.0, -2.0, 5.0))
    rows = [["case", "patient", *plan.channels, "lesions"]]
    for number in range(cases):
        image, labels = ball_image(shape, number)
        rows.append([f"case{number}", f"patient{number}"])
        for channel in plan.channels:
            # Air round the body: the crop to non-zero has something to do.
            picture = np.pad(image[1:, :, 2:] + 3, ((1, 0), (0, 0), (2, 0)))
            write_volume(Volume(picture, geometry), folder / f"{number}_{channel}.nii.gz")
            rows[-1].append(f"{number}_{channel}.nii.gz")
        write_volume(Volume(labels, geometry), folder / f"{number}_labels.nii.gz")
        rows[-1].append(f"{number}_labels.nii.gz")
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    (folder / "plan.json").write_text(plan.model_dump_json())
    return folder


def training_of(folder: Path) -> Path:
    """Where a training lies unless somebody says so."""
    return folder.with_name(f"{folder.name}.training")


def command(name: str, folder: Path, *more: object) -> list[str]:
    """A command line on such a data set."""
    words = {"unet": ["train", "unet"], "crossval": ["crossval"]}[name]
    return [*words, "--plan", str(folder), "--cases", str(folder / "cases.csv"), *QUICK, *map(str, more)]


def read_json(path: Path):
    return json.loads(path.read_text())
