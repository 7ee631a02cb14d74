"""Hold what eight nnU-Net v2 folders answer here against nnunetv2, and nnunetv2's answers to two folders of ours.

Run in the peers' environment: ``python Testing/benchmarks/nnunet_compare.py [--root FOLDER] [NUMBER …]``. The
folders are made by ``nnunet_folders.py`` and kept in the root. Ends with exit code 1 if anything differs by more than
is allowed.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from nnunet_folders import CASES, RECIPES, dataset_name, make_folder, set_up

from mtann.inference.answers import Answers
from mtann.inference.tiles import make_tiles
from mtann.inference.window import SlidingWindow
from mtann.models.nnunet.export import export_bundle
from mtann.models.nnunet.folder import import_folder
from mtann.models.unet_bundle import unet_network
from mtann.preprocess.unet import crop_case, unet_case
from mtann.segmentation.result import SegmentationSettings
from mtann.segmentation.segment import segment
from mtann.volume_io import read_volume

SAME_DICE, FEW_VOXELS, MOST_APART, SAME_LOGITS = 0.999, 1000, 2, 1e-3
CPU = torch.device("cpu")
REVERSED = (0, 3)
"""The recipes whose models are written for nnunetv2 and run by it: a plain and a residual one."""


def peer(folder: Path, folds: tuple[int | str, ...]):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(device=CPU, perform_everything_on_device=False, allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), folds)
    return predictor


def peer_labels(folder: Path, images: list[Path], folds: tuple[int | str, ...], output: Path) -> np.ndarray:
    """nnunetv2's own prediction of one case from its files; of a cascade, both stages."""
    predictor = peer(folder, folds)
    previous = None
    if predictor.configuration_manager.previous_stage_name:
        previous = output / "low"
        peer_labels(folder.parent / folder.name.replace("3d_cascade_fullres", "3d_lowres"), images, folds, previous)
    case = images[0].name[: -len("_0000.nii.gz")]
    output.mkdir(parents=True, exist_ok=True)
    predictor.predict_from_files_sequential(
        [[str(path) for path in images]],
        [str(output / case)],
        folder_with_segs_from_prev_stage=None if previous is None else str(previous),
    )
    return read_volume(output / f"{case}.nii.gz").array


@contextlib.contextmanager
def exact_sums():
    """nnunetv2 with sums and weights of 32 instead of 16 bits."""
    from nnunetv2.inference import predict_from_raw_data as module

    half, gaussian = torch.half, module.compute_gaussian
    torch.half, module.compute_gaussian = torch.float32, partial(gaussian, dtype=torch.float32)
    try:
        yield
    finally:
        torch.half, module.compute_gaussian = half, gaussian


def peer_logits(folder: Path, images: list[Path], folds: tuple[int | str, ...]) -> np.ndarray:
    predictor = peer(folder, folds)
    preprocessor = predictor.configuration_manager.preprocessor_class(verbose=False)
    data, _, _ = preprocessor.run_case(
        [str(path) for path in images], None, predictor.plans_manager, predictor.configuration_manager,
        predictor.dataset_json,
    )  # fmt: skip
    with exact_sums():
        return predictor.predict_logits_from_preprocessed_data(torch.from_numpy(data)).numpy()


def own_logits(bundle, images: list[Path]) -> np.ndarray:
    """Blended logits on the grid of the model's one configuration."""
    card = bundle.card
    name = card.configurations[0]
    planned = card.plan.configuration(name)
    prepared = unet_case(crop_case([read_volume(path) for path in images], card.plan), planned)
    networks = [unet_network(bundle, name, fold) for fold in card.folds]
    window = SlidingWindow(make_tiles(prepared.data.shape[1:], planned.patch_size), card.plan.outputs, CPU)
    with torch.inference_mode():
        rows = window.run(prepared.data, Answers(networks, planned.dimensions, card.mirror_axes[name]))
        return np.concatenate([row.logits for row in rows], axis=1)


def tile_difference(bundle, folder: Path, folds: tuple[int | str, ...]) -> float:
    """The largest difference of a network's answer to one random patch."""
    predictor, card = peer(folder, folds), bundle.card
    name = card.configurations[0]
    own = unet_network(bundle, name, card.folds[0])
    channels = own.encoder.state_dict()[next(iter(own.encoder.state_dict()))].shape[1]
    patch = torch.randn(
        1, channels, *card.plan.configuration(name).patch_size, generator=torch.Generator().manual_seed(1)
    )
    with torch.inference_mode():
        return float((own(patch) - predictor.network.eval()(patch)).abs().max())


def label_agreement(own: np.ndarray, theirs: np.ndarray, sets: dict[str, tuple[int, ...]]) -> dict[str, dict]:
    """Of each label: Dice coefficient, voxels, voxels apart, and whether that is the same."""
    found = {}
    for name, values in sets.items():
        a, b = np.isin(own, values), np.isin(theirs, values)
        voxels, apart = int(b.sum()), int((a != b).sum())
        dice = 1.0 if not (a.any() or b.any()) else 2 * int((a & b).sum()) / int(a.sum() + b.sum())
        same = dice >= SAME_DICE or (max(voxels, int(a.sum())) < FEW_VOXELS and apart <= MOST_APART)
        found[name] = {"dice": dice, "voxels": voxels, "apart": apart, "same": bool(same)}
    return found


def compare(number: int, root: Path) -> dict:
    recipe = RECIPES[number]
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        folder = make_folder(number, root)
        made = time.perf_counter()
        raw = root / "raw" / dataset_name(number) / "imagesTs"
        images = [raw / f"case{CASES}_{channel:04d}.nii.gz" for channel in range(len(recipe.channels))]
        bundle = import_folder(folder)
        with tempfile.TemporaryDirectory() as scratch:
            theirs = peer_labels(folder, images, recipe.folds, Path(scratch) / "out")
        settings = SegmentationSettings(device="cpu", backend="torch", precision="fp32")
        own = segment([read_volume(path) for path in images], bundle, settings)
        sets = {label.name: label.values for label in own.labels}
        result = {
            "recipe": recipe.name,
            "labels": label_agreement(own.label_map.array, theirs, sets),
            "tile": tile_difference(bundle, folder, recipe.folds),
            "patches": own.patches[0],
        }
        if len(bundle.card.stages) == 1:
            ours, blended = own_logits(bundle, images), peer_logits(folder, images, recipe.folds)
            result["blended"] = float(np.abs(ours - blended).max())
            result["logits_up_to"] = float(np.abs(blended).max())
        if number in REVERSED:
            with tempfile.TemporaryDirectory() as scratch:
                (exported,) = export_bundle(bundle, Path(scratch))
                back = peer_labels(exported, images, recipe.folds, Path(scratch) / "out")
            result["reversed"] = label_agreement(own.label_map.array, back, sets)
    result["seconds"] = [round(made - started), round(time.perf_counter() - made)]
    good = all(label["same"] and label["voxels"] for label in result["labels"].values())
    good &= all(label["same"] for label in result.get("reversed", {}).values())
    good &= result["tile"] <= SAME_LOGITS and result.get("blended", 0.0) <= SAME_LOGITS
    return {**result, "good": bool(good)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", nargs="*", type=int, help="which recipes, from 0 (default: all)")
    parser.add_argument("--root", type=Path, default=Path(tempfile.gettempdir()) / "mtann-nnunet-folders")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    set_up(arguments.root)
    results = []
    for number in arguments.numbers or range(len(RECIPES)):
        result = compare(number, arguments.root)
        results.append(result)
        labels = "  ".join(
            f"{name} {one['dice']:.5f} ({one['apart']} of {one['voxels']} apart)"
            for part in ("labels", "reversed")
            for name, one in result.get(part, {}).items()
        )
        logits = f"tile {result['tile']:.1e}, blended {result.get('blended', float('nan')):.1e}"
        print(
            f"{'good' if result['good'] else 'BAD '} {result['recipe']}: {labels}; {logits}; {result['seconds']} s",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))
    return 0 if all(result["good"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
