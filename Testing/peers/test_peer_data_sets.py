"""Whole small data sets through nnU-Net's own command and through ours: what is measured, and what is decided."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from test_peer_plans import assert_same

from mtann.data_set import measure, read_data_set
from mtann.planning.planner import make_plan

pytestmark = pytest.mark.peers


def write(path: Path, array: np.ndarray, spacing=None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    if spacing:
        image.SetSpacing(spacing)
        turn = np.deg2rad(20)
        image.SetDirection((np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1))
    sitk.WriteImage(image, str(path))


def anisotropic(folder: Path) -> dict:
    """CT and MR with a border of zeros, thick slices of uneven thickness, lesions of very different sizes."""
    rng = np.random.default_rng(3)
    for number, (slices, edge, z) in enumerate(((14, 70, 4.0), (16, 64, 5.0), (15, 77, 4.5))):
        body = np.zeros((slices, edge, edge + 6), bool)
        body[1:-1, 5:-7, 9:-4] = True
        labels = np.zeros(body.shape, np.uint8)
        labels[3:8, 12 : 20 + 4 * number, 20:40] = 1
        labels[5:7, 14:18, 24:30] = 2
        labels[9, 12:20, 20:30] = 3
        for channel, (mean, deviation) in enumerate(((40, 30), (300, 90))):
            image = rng.normal(mean, deviation, body.shape) + 20 * labels
            image = np.where(body, np.round(image), 0).astype(np.int16)
            write(folder / "imagesTr" / f"case_{number}_000{channel}.nii.gz", image, (0.9, 0.9, z))
        write(folder / "labelsTr" / f"case_{number}.nii.gz", labels, (0.9, 0.9, z))
    return {
        "channel_names": {"0": "CT", "1": "T2"},
        "labels": {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3},
        "regions_class_order": [1, 2],
        "numTraining": 3,
        "file_ending": ".nii.gz",
    }


def pictures(folder: Path) -> dict:
    """Grey pictures: one slice, no spacing."""
    rng = np.random.default_rng(4)
    for number, (height, width) in enumerate(((60, 90), (66, 80), (70, 100), (64, 96))):
        labels = np.zeros((height, width), np.uint8)
        labels[20:40, 30:50] = 1
        image = (rng.integers(1, 100, labels.shape) + 100 * labels).astype(np.uint8)
        write(folder / "imagesTr" / f"p{number}_0000.png", image)
        write(folder / "labelsTr" / f"p{number}.png", labels)
    return {
        "channel_names": {"0": "grey"},
        "labels": {"background": 0, "blob": 1},
        "numTraining": 4,
        "file_ending": ".png",
    }


def run_peer(folder: Path) -> Path:
    """Run nnU-Net's own command on the data set; gives the folder of what it wrote."""
    names = {"nnUNet_raw": "raw", "nnUNet_preprocessed": "preprocessed", "nnUNet_results": "results"}
    environment = {**os.environ, **{key: str(folder / name) for key, name in names.items()}}
    command = Path(sys.executable).parent / "nnUNetv2_plan_and_preprocess"
    arguments = ["-d", "1", "--no_pp", "-npfp", "1", "--verify_dataset_integrity"]
    done = subprocess.run(
        [sys.executable, str(command), *arguments], env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "preprocessed" / "Dataset001_Small"


@pytest.mark.slow
@pytest.mark.parametrize("make", [anisotropic, pictures])
def test_a_whole_data_set_is_measured_and_planned_alike(make, tmp_path):
    raw = tmp_path / "raw" / "Dataset001_Small"
    document = make(raw)
    (raw / "dataset.json").write_text(json.dumps(document))
    made = run_peer(tmp_path)
    theirs = json.loads((made / "dataset_fingerprint.json").read_text())
    data_set = read_data_set(raw)
    ours = measure(data_set)
    np.testing.assert_allclose(ours.spacings_zyx_mm, theirs["spacings"], rtol=1e-7)
    assert [list(shape) for shape in ours.shapes_zyx] == theirs["shapes_after_crop"]
    assert ours.kept_share == pytest.approx(theirs["median_relative_size_after_cropping"])
    for number, mine in enumerate(ours.intensities):
        its = theirs["foreground_intensity_properties_per_channel"][str(number)]
        # nnU-Net draws voxels by chance, ours are counted: they agree to far below what matters to a network.
        near = {"abs": 0.02 * its["std"]}
        for name in ("mean", "std", "median", "percentile_00_5", "percentile_99_5"):
            assert getattr(mine, name) == pytest.approx(its[name], **near), name
        assert (mine.minimum, mine.maximum) == (its["min"], its["max"])
    plan = make_plan("Small", ours, data_set.labels)
    assert_same(plan, json.loads((made / "nnUNetPlans.json").read_text()))
