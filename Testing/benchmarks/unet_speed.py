"""``mtann segment`` against ``nnUNetv2_predict``: whole commands on one folder of nnU-Net v2, side by side.

The standard six-stage 3d_fullres U-Net, four channels, a brain-sized case of 12 patches of 96^3, no mirroring unless
asked for. The network is taught for some steps on blobs like the case's, so that its answers are as decided as a
trained network's and Dice can be compared; that takes about half an hour on two cores, and the weights are kept. Run
in the peers' environment::

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
from measuring import write_result
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
PARTS = (0.25, 0.5, 0.75)
ROUNDS, LOOK_SECONDS = 2, 0.5
TEACHING_STEPS, TEACHING_PATCH, TEACHING_RATES = 250, 64, (6e-4, 3e-4)
"""Steps of each cycle of learning, voxels along an edge, and each cycle's highest rate."""
LESIONS_AT = {
    "corners": ((28, 28, 28), (260, 28, 164), (28, 212, 28)),
    "middle": tuple((part * LARGE[0], 0.5 * LARGE[1], (1 - part) * LARGE[2]) for part in PARTS),
}
"""Centres of three lesions (z, y, x): near corners each lies in one patch, elsewhere in up to eight, which overlap."""
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


def draw_case(
    size: tuple[int, int, int], seed: int, radii: tuple[int, int, int] = (12, 8, 4), parts: tuple[float, ...] = PARTS
) -> tuple[np.ndarray, np.ndarray]:
    """Four channels with three nested blobs each in some places, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.zeros(size, np.uint8)
    grid = np.indices(size)
    for part in parts:
        centre = np.array(size) * (part, 0.5, 1 - part) + random.uniform(-2, 2, 3) * (seed > 0)
        distance = np.sqrt(((grid - centre[:, None, None, None]) ** 2).sum(0))
        for value, radius in enumerate(radii, start=1):
            labels[distance < radius] = value
    channels = []
    for number in range(4):
        array = 10 + random.normal(0, 0.3, size) + np.array([0, 2, 4, 6])[(labels + number * (labels > 0)) % 4]
        channels.append(ndimage.gaussian_filter(array, 1.0).astype(np.float32))
    return np.stack(channels), labels


def make_case(size: tuple[int, int, int], folder: Path, radii: tuple[int, int, int] = (12, 8, 4)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    channels, _ = draw_case(size, 0, radii)
    for number, array in enumerate(channels):
        write_volume(Volume(array, Geometry(size, (1.0,) * 3, (0.0,) * 3)), folder / f"case_{number:04d}.nii.gz")


def taught_weights(file: Path) -> dict[str, torch.Tensor]:
    """The network's weights: from a file, or taught on other blobs and kept there."""
    if file.exists():
        return torch.load(file, weights_only=True)
    (configuration,) = standard_plan().configurations
    torch.manual_seed(0)
    network = build_network(configuration.architecture, 4, 4, configuration.patch_size).train()
    for cycle, rate in enumerate(TEACHING_RATES):
        teach_cycle(network, rate, range(cycle * TEACHING_STEPS, (cycle + 1) * TEACHING_STEPS))
    torch.save(network.state_dict(), file)
    return network.state_dict()


def teach_cycle(network: torch.nn.Module, rate: float, steps: range) -> None:
    """Some steps of Adam on blobs, each step on others, the learning rate rising to one and falling to about 0."""
    optimiser = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, len(steps))
    weights = torch.tensor([1.0, 3.0, 5.0, 10.0])
    for step in steps:
        scale = np.random.default_rng(step).uniform(0.4, 1.1)
        radii = tuple(max(2, round(radius * scale)) for radius in (12, 8, 4))
        data, labels = draw_case((TEACHING_PATCH,) * 3, step + 1, radii, (0.5,))
        # The statistics of a whole case, of which blobs are a small part.
        data = (data - np.median(data, axis=(1, 2, 3), keepdims=True)) / 0.25
        logits = network(torch.from_numpy(data)[None])
        truth = torch.from_numpy(labels.astype(np.int64))[None]
        loss = torch.nn.functional.cross_entropy(logits, truth, weights)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 10 == 9:
            print(f"step {step + 1} of {steps.stop}: loss {loss.item():.4f}", file=sys.stderr, flush=True)


def make_folder(root: Path, weights: Path, mirror: bool) -> Path:
    """A folder of nnU-Net."""
    card = UNetCard(
        name="speed", plan=standard_plan(), configurations=("3d_fullres",), folds=("0",),
        mirror_axes={"3d_fullres": (0,) if mirror else ()}, training_data=(), software={},
    )  # fmt: skip
    (folder,) = export_bundle(make_unet_bundle(card, {("3d_fullres", "0"): taught_weights(weights)}), root)
    return folder


def timed(command: list[str], root: Path) -> tuple[float, float]:
    """Seconds and peak memory (GiB, of all processes together, shared pages once, looked at twice a second)."""
    folders = {f"nnUNet_{name}": str(root) for name in ("raw", "preprocessed", "results")}
    # A cache of its own, so that what is kept from one run to the next was made in this benchmark.
    environment = {**os.environ, **folders, "XDG_CACHE_HOME": str(root / "cache")}
    with tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        peak = 0
        while True:
            try:
                process.wait(LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, sum(held_bytes(number) for number in (process.pid, *descendants(process.pid))))
        seconds = time.perf_counter() - started
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)}\n{errors.read()[-2000:]}")
    return seconds, peak / 2**30


def descendants(process: int) -> list[int]:
    """All processes that a process and its children have started (Linux)."""
    found = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = [int(number) for number in file.read_text().split()]
        except OSError:  # it has just ended
            continue
        found += [number for child in children for number in (child, *descendants(child))]
    return found


def held_bytes(process: int) -> int:
    """Memory of a process, pages that several share in parts."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


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


def side_by_side(root: Path, weights: Path, mirror: bool, rounds: int) -> list[dict]:
    """The peer and our variants, each once in every round."""
    make_case(BRAIN, root / "images")
    folder = make_folder(root / "model", weights, mirror)
    peer = "nnUNetv2_predict"
    found: dict[str, list[tuple[float, float]]] = {}
    maps = {}
    # The first use of a model converts its networks, which are kept.
    first, _ = timed(own_command(folder, root / "images", root / "first", *VARIANTS[-1]), root)
    for _ in range(rounds):
        found.setdefault(peer, []).append(timed(peer_command(folder, root / "images", root / "peer", mirror), root))
        maps[peer] = read_volume(root / "peer" / "case.nii.gz").array
        for backend, precision in VARIANTS:
            what, output = f"mtann segment, {backend} {precision}", root / f"{backend}-{precision}"
            command = own_command(folder, root / "images", output, backend, precision)
            found.setdefault(what, []).append(timed(command, root))
            maps[what] = read_volume(output / "segmentation.nii.gz").array
    rows = []
    for what, runs in found.items():
        ratios = [theirs / own for (theirs, _), (own, _) in zip(found[peer], runs, strict=True)]
        rows.append(
            {
                "what": what,
                "seconds": [round(seconds, 2) for seconds, _ in runs],
                "times": [round(one, 3) for one in (float(np.median(ratios)), min(ratios), max(ratios))],
                "gibibytes": round(max(held for _, held in runs), 3),
                "dice_with_peer": dice(maps[what], maps[peer]),
            }
        )
    return [*rows, {"what": "first use, " + " ".join(VARIANTS[-1]), "seconds": [round(first, 2)]}]


def around(root: Path, weights: Path) -> list[dict]:
    """Whole against around three lesions, near the image's corners and along its middle; in between the whole again."""
    make_case(LARGE, root / "images", (6, 4, 2))
    folder = make_folder(root / "model", weights, False)
    rows, maps = [], {}
    variant = VARIANTS[1]
    for what, centres in LESIONS_AT.items():
        lines = ["x_lps_mm,y_lps_mm,z_lps_mm,radius_mm"]
        lines += [f"{x},{y},{z},6" for z, y, x in centres]
        (root / f"{what}.csv").write_text("\n".join(lines) + "\n")
    places = {what: ("--around", str(root / f"{what}.csv")) for what in LESIONS_AT}
    # The first run converts the network and keeps it.
    timed(own_command(folder, root / "images", root / "first", *variant, *places["corners"]), root)
    for what in ("whole", "corners", "middle", "corners again", "whole again"):
        more = places.get(what.split()[0], ())
        seconds, _ = timed(own_command(folder, root / "images", root / what, *variant, *more), root)
        document = json.loads((root / what / "segmentation.json").read_text())
        maps[what] = read_volume(root / what / "segmentation.nii.gz").array
        rows.append({"what": what, "seconds": seconds, "patches": document["patches"]["run"]})
    for row in rows:
        for centre in LESIONS_AT.get(row["what"].split()[0], ()):
            box = tuple(slice(max(0, round(c) - 15), round(c) + 16) for c in centre)
            if not np.array_equal(maps["whole"][box], maps[row["what"]][box]):
                raise SystemExit(f"{row['what']}: other labels than in the whole image.")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--around", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is run")
    parser.add_argument("--weights", type=Path, default=Path(tempfile.gettempdir()) / "unet_speed.pt")
    parser.add_argument("--teach-only", action="store_true", help="only make the weights")
    arguments = parser.parse_args()
    if arguments.teach_only:
        taught_weights(arguments.weights)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        if arguments.around:
            rows = around(root, arguments.weights)
        else:
            rows = side_by_side(root, arguments.weights, arguments.mirror, arguments.rounds)
    for row in rows:
        print(row)
    what = "around" if arguments.around else "mirrored" if arguments.mirror else "plain"
    write_result(f"unet_speed_{what}", {"rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
