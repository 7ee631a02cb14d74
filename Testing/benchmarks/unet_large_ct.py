"""A 512x512x600 CT with three labels and a small U-Net: time outside of the network, and peak memory.

Run as ``python Testing/benchmarks/unet_large_ct.py [--scale 0.25]``. The CT is resampled from 0.8 to 1 mm in the plane,
so that interpolation there and back is part of it; reading and writing the files are, too.
"""

import argparse
import itertools
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from mtann.geometry import Geometry
from mtann.models.unet_bundle import make_unet_bundle
from mtann.models.unet_card import UNetCard
from mtann.networks.registry import build_network
from mtann.planning.plan import Architecture, Configuration, Intensities, Plan
from mtann.segmentation import stage
from mtann.segmentation.files import save_segmentation
from mtann.segmentation.result import SegmentationSettings
from mtann.segmentation.segment import segment
from mtann.volume import Volume
from mtann.volume_io import read_volume, write_volume

SIZE_ZYX, SPACING_XYZ = (600, 512, 512), (0.8, 0.8, 1.0)
MOST_SECONDS, MOST_GIBIBYTES = 60, 16


def small_bundle():
    threes, ones, twos = (3, 3, 3), (1, 1, 1), (2, 2, 2)
    architecture = Architecture(
        features=(4, 8, 16),
        kernel_sizes=(threes,) * 3,
        strides=(ones, twos, twos),
        encoder_blocks=(1, 1, 1),
        decoder_convolutions=(1, 1),
    )
    configuration = Configuration(
        name="3d_fullres",
        spacing=(1.0, 1.0, 1.0),
        median_size=(400, 400, 400),
        patch_size=(128, 128, 128),
        batch_size=2,
        normalisation=("ct",),
        normalise_in_mask=(False,),
        batch_dice=False,
        architecture=architecture,
    )
    intensities = Intensities(
        mean=0, std=300, median=0, percentile_00_5=-1000, percentile_99_5=800, minimum=-1024, maximum=3000
    )
    plan = Plan(
        name="small",
        channels=("CT",),
        labels={"a": (1,), "b": (2,), "c": (3,)},
        intensities=(intensities,),
        configurations=(configuration,),
    )
    torch.manual_seed(0)
    state = build_network(architecture, 1, plan.outputs, configuration.patch_size).state_dict()
    card = UNetCard(
        name="small", plan=plan, configurations=("3d_fullres",), folds=("0",), mirror_axes={"3d_fullres": ()},
        training_data=(), software={},
    )  # fmt: skip
    return make_unet_bundle(card, {("3d_fullres", "0"): state})


def synthetic_ct(scale: float) -> Volume:
    """Smooth tissue in air, as 16-bit numbers."""
    shape = tuple(round(n * scale) for n in SIZE_ZYX)
    random = np.random.default_rng(0)
    coarse = random.normal(0, 200, tuple(n // 16 + 1 for n in shape)).astype(np.float32)
    array = np.empty(shape, np.int16)
    for row in range(shape[0]):
        plane = ndimage.zoom(coarse[row // 16], 16, order=1)[: shape[1], : shape[2]]
        array[row] = plane + random.normal(0, 20, plane.shape)
    array[:, : shape[1] // 8] = array[:, -shape[1] // 8 :] = -1024
    return Volume(array, Geometry(shape, SPACING_XYZ, (0.0, 0.0, 0.0)), "ct")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of every edge, for a quick look")
    parser.add_argument("--backend", default="auto")
    arguments = parser.parse_args()
    inside = [0.0]

    def timed(module, shape, computation, **options):
        network = compile_network(module, shape, computation, **options)

        def evaluate(patches):
            started = time.perf_counter()
            try:
                return network(patches)
            finally:
                inside[0] += time.perf_counter() - started

        return evaluate

    compile_network, stage.compile_network = stage.compile_network, timed
    with tempfile.TemporaryDirectory() as scratch:
        write_volume(synthetic_ct(arguments.scale), Path(scratch) / "ct.nii.gz")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        marks = [("start", time.perf_counter())]
        volume = read_volume(Path(scratch) / "ct.nii.gz")
        marks.append(("read", time.perf_counter()))
        settings = SegmentationSettings(device="cpu", backend=arguments.backend, precision="fp32")
        result = segment(volume, small_bundle(), settings)
        marks.append(("segment", time.perf_counter()))
        save_segmentation(result, volume, Path(scratch) / "out", "")
        marks.append(("write", time.perf_counter()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    steps = {name: round(now - then, 1) for (_, then), (name, now) in itertools.pairwise(marks)}
    outside = marks[-1][1] - marks[0][1] - inside[0]
    print(
        json.dumps(
            {
                "size_zyx": volume.array.shape,
                "patches": result.patches,
                "computation": result.computation,
                "seconds": steps,
                "network_seconds": round(inside[0], 1),
                "outside_seconds": round(outside, 1),
                "peak_gibibytes": round(peak, 2),
                "peak_before_gibibytes": round(before / 2**20, 2),
            },
            indent=2,
        )
    )
    return 0 if arguments.scale < 1 or (outside <= MOST_SECONDS and peak <= MOST_GIBIBYTES) else 1


if __name__ == "__main__":
    sys.exit(main())
