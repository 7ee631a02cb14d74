"""``mtann segment`` against ``nnUNetv2_predict``: whole commands on one folder of nnU-Net v2, side by side.

The standard six-stage 3d_fullres U-Net, four channels, a brain-sized case of 12 patches of 96^3, no mirroring unless
asked for. Weights are drawn, and the last layer is fitted to the case, so that labels mean something and Dice can be
compared. Run in the peers' environment::

    python Testing/benchmarks/unet_speed.py            # peer, torch fp32, OpenVINO fp32, OpenVINO bf16
    python Testing/benchmarks/unet_speed.py --mirror   # the same with one mirrored axis
    python Testing/benchmarks/unet_speed.py --around   # 60 patches, three lesions: whole against around
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from mtann.geometry import Geometry
from mtann.models.nnunet.export import export_bundle
from mtann.models.unet_bundle import make_unet_bundle
from mtann.models.unet_card import UNetCard
from mtann.networks.registry import build_network
from mtann.planning.plan import Architecture, Configuration, Intensities, Plan
from mtann.volume import Volume
from mtann.volume_io import read_volume, write_volume

PATCH, BRAIN, LARGE = 96, (144, 168, 144), (288, 240, 192)
CHANNELS = ("T1", "T1c", "T2", "FLAIR")
VARIANTS = (("torch", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))


def standard_plan() -> Plan:
    threes = (3, 3, 3)
    architecture = Architecture(
        features=(32, 64, 128, 256, 320, 320),
        kernel_sizes=(threes,) * 6,
        strides=((1, 1, 1), *((2, 2, 2),) * 5),
        encoder_blocks=(2,) * 6,
        decoder_convolutions=(2,) * 5,
    )
    configuration = Configuration(
        name="3d_fullres",
        spacing=(1.0, 1.0, 1.0),
        median_size=BRAIN,
        patch_size=(PATCH,) * 3,
        batch_size=2,
        normalisation=("z_score",) * 4,
        normalise_in_mask=(False,) * 4,
        batch_dice=False,
        architecture=architecture,
    )
    one = Intensities(mean=0, std=1, median=0, percentile_00_5=0, percentile_99_5=0, minimum=0, maximum=0)
    return Plan(
        name="Dataset999_speed",
        channels=CHANNELS,
        labels={"oedema": (1,), "core": (2,), "enhancing": (3,)},
        intensities=(one,) * 4,
        configurations=(configuration,),
    )


def make_case(size: tuple[int, int, int], folder: Path, radii: tuple[int, int, int] = (12, 8, 4)) -> np.ndarray:
    """Four channels with three nested blobs each in three places; returns their labels."""
    random = np.random.default_rng(0)
    labels = np.zeros(size, np.uint8)
    grid = np.indices(size)
    for part in (0.25, 0.5, 0.75):
        distance = np.sqrt(((grid - (np.array(size) * (part, 0.5, 1 - part))[:, None, None, None]) ** 2).sum(0))
        for value, radius in enumerate(radii, start=1):
            labels[distance < radius] = value
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(4):
        array = 10 + random.normal(0, 0.3, size) + np.array([0, 2, 4, 6])[(labels + number * (labels > 0)) % 4]
        smooth = ndimage.gaussian_filter(array, 1.0).astype(np.float32)
        write_volume(Volume(smooth, Geometry(size, (1.0,) * 3, (0.0,) * 3)), folder / f"case_{number:04d}.nii.gz")
    return labels


def make_folder(images: Path, labels: np.ndarray, root: Path, mirror: bool) -> Path:
    """A folder of nnU-Net with drawn weights and a fitted last layer."""
    plan = standard_plan()
    (configuration,) = plan.configurations
    torch.manual_seed(0)
    network = build_network(configuration.architecture, 4, plan.outputs, configuration.patch_size).eval()
    data = np.stack([read_volume(images / f"case_{number:04d}.nii.gz").array for number in range(4)])
    data = (data - data.mean(axis=(1, 2, 3), keepdims=True)) / data.std(axis=(1, 2, 3), keepdims=True)
    first = [n // 2 - PATCH // 2 for n in labels.shape]
    cut = tuple(slice(start, start + PATCH) for start in first)
    features: list[torch.Tensor] = []
    head = network.decoder.seg_layers[-1]
    hook = head.register_forward_pre_hook(lambda _module, inputs: features.append(inputs[0]))
    with torch.inference_mode():
        network(torch.from_numpy(data[(slice(None), *cut)]).float()[None])
    hook.remove()
    own = features[0][0].reshape(features[0].shape[1], -1).T.double().numpy()
    truth = labels[cut].ravel()
    rows = np.concatenate([np.flatnonzero(truth == value)[:4000] for value in range(4)])
    design = np.column_stack([own[rows], np.ones(len(rows))])
    targets = np.eye(4)[truth[rows]]
    solved = np.linalg.solve(design.T @ design + 3e-2 * len(rows) * np.eye(design.shape[1]), design.T @ targets)
    state = network.state_dict()
    state["decoder.seg_layers.4.weight"] = torch.from_numpy(solved[:-1].T).float().reshape(4, -1, 1, 1, 1) * 10
    state["decoder.seg_layers.4.bias"] = torch.from_numpy(solved[-1]).float() * 10
    card = UNetCard(
        name="speed", plan=plan, configurations=("3d_fullres",), folds=("0",),
        mirror_axes={"3d_fullres": (0,) if mirror else ()}, training_data=(), software={},
    )  # fmt: skip
    (folder,) = export_bundle(make_unet_bundle(card, {("3d_fullres", "0"): state}), root)
    return folder


def timed(command: list[str], root: Path) -> tuple[float, float]:
    """Seconds and peak memory (GiB, of the largest process) of a command."""
    environment = {**os.environ, **{f"nnUNet_{name}": str(root) for name in ("raw", "preprocessed", "results")}}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    _, errors = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\n{errors[-2000:]}")
    import resource

    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def own_command(folder: Path, images: Path, output: Path, backend: str, precision: str, *more: str) -> list[str]:
    files = [str(images / f"case_{number:04d}.nii.gz") for number in range(4)]
    options = ["--device", "cpu", "--backend", backend, "--precision", precision, "--output", str(output), *more]
    return [sys.executable, "-m", "mtann", "segment", *files, "--model", str(folder), *options]


def peer_command(folder: Path, images: Path, output: Path, mirror: bool) -> list[str]:
    code = "from nnunetv2.inference.predict_from_raw_data import predict_entry_point_modelfolder as run; run()"
    options = ["-i", str(images), "-o", str(output), "-m", str(folder), "-f", "0", "-device", "cpu"]
    tail = ["-npp", "1", "-nps", "1", *([] if mirror else ["--disable_tta"])]
    return [sys.executable, "-c", code, *options, *tail]


def dice(own: np.ndarray, theirs: np.ndarray) -> list[float]:
    found = []
    for value in (1, 2, 3):
        a, b = own == value, theirs == value
        found.append(round(2 * int((a & b).sum()) / max(1, int(a.sum() + b.sum())), 5))
    return found


def side_by_side(root: Path, mirror: bool) -> list[dict]:
    labels = make_case(BRAIN, root / "images")
    folder = make_folder(root / "images", labels, root / "model", mirror)
    seconds, memory = timed(peer_command(folder, root / "images", root / "peer", mirror), root)
    theirs = read_volume(root / "peer" / "case.nii.gz").array
    rows = [{"what": "nnUNetv2_predict", "seconds": seconds, "gibibytes": memory}]
    for backend, precision in VARIANTS:
        output = root / f"{backend}-{precision}"
        own_seconds, _ = timed(own_command(folder, root / "images", output, backend, precision), root)
        own = read_volume(output / "segmentation.nii.gz").array
        what = f"mtann segment, {backend} {precision}"
        rows.append({"what": what, "seconds": own_seconds, "times": seconds / own_seconds, "dice": dice(own, theirs)})
    return rows


def around(root: Path) -> list[dict]:
    labels = make_case(LARGE, root / "images", (6, 4, 2))
    folder = make_folder(root / "images", labels, root / "model", False)
    lines = ["x_lps_mm,y_lps_mm,z_lps_mm,radius_mm"]
    lines += [f"{LARGE[2] * (1 - part)},{LARGE[1] * 0.5},{LARGE[0] * part},6" for part in (0.25, 0.5, 0.75)]
    (root / "places.csv").write_text("\n".join(lines) + "\n")
    rows, maps, patches = [], [], []
    for what, more in (("whole", ()), ("around", ("--around", str(root / "places.csv")))):
        seconds, _ = timed(own_command(folder, root / "images", root / what, "openvino", "bf16", *more), root)
        document = json.loads((root / what / "segmentation.json").read_text())
        patches.append(document["patches"]["run"])
        maps.append(read_volume(root / what / "segmentation.nii.gz").array)
        rows.append({"what": what, "seconds": seconds, "patches": patches[-1]})
    inside = maps[1] > 0
    same = bool(np.array_equal(maps[0][inside], maps[1][inside]))
    rows.append(
        {
            "what": "ratio",
            "times": rows[0]["seconds"] / rows[1]["seconds"],
            "patches": patches[0] / patches[1],
            "same": same,
        }
    )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--around", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = around(Path(scratch)) if arguments.around else side_by_side(Path(scratch), arguments.mirror)
    print(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
