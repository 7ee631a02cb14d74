"""Plans against nnU-Net's own planners on the same fingerprints, and whole data sets through both programs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from nnunetv2.experiment_planning.experiment_planners import default_experiment_planner
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.experiment_planning.experiment_planners.residual_unets import residual_encoder_unet_planners

from mtann.planning.fingerprint import Fingerprint
from mtann.planning.labels import Labels, labels_of_nnunet
from mtann.planning.plan import Intensities, Plan
from mtann.planning.planner import make_plan

pytestmark = pytest.mark.peers

PLANNERS = {
    "plain": ExperimentPlanner,
    "residual_m": residual_encoder_unet_planners.nnUNetPlannerResEncM,
    "residual_l": residual_encoder_unet_planners.nnUNetPlannerResEncL,
    "residual_xl": residual_encoder_unet_planners.nnUNetPlannerResEncXL,
}


def spread(spacing, shape, cases, seed, jitter=0.15):
    """Spacings and shapes of cases about a median."""
    rng = np.random.default_rng(seed)
    spacings = np.array(spacing) * rng.uniform(1 - jitter, 1 + jitter, (cases, 1))
    shapes = np.round(np.array(shape) * rng.uniform(1 - jitter, 1 + jitter, (cases, 3))).astype(int)
    return spacings.tolist(), np.maximum(shapes, 1).tolist()


FINGERPRINTS = {
    "isotropic MR": (*spread((1, 1, 1), (155, 190, 150), 40, 0), 4, ("T1", "T1c", "T2", "FLAIR"), 0.6),
    "isotropic, even median": ([[1, 1, 1]] * 2, [[144, 180, 150], [151, 187, 149]], 2, ("T1",), 0.9),
    "anisotropic MR": (*spread((3.6, 0.62, 0.62), (20, 320, 320), 32, 1), 2, ("T2", "ADC"), 0.95),
    "very anisotropic, uneven slices": (
        [[z, 1.5, 1.5] for z in (5, 5, 10, 10, 10, 10, 8, 10)],
        [[9 + n % 3, 240 + 4 * n, 210] for n in range(8)],
        3,
        ("cine",),
        1.0,
    ),
    "coarse axis finer than the plane": (
        [[z, 1, 1] for z in (0.5, 4, 4, 4, 4)],
        [[30, 200, 200]] * 5,
        1,
        ("T1",),
        1.0,
    ),
    "coronal": (*spread((0.9, 4.5, 0.9), (256, 30, 256), 12, 2), 1, ("T1",), 0.5),
    "large CT": (*spread((0.8, 0.78, 0.78), (520, 512, 512), 60, 3), 3, ("CT",), 1.0),
    "thick CT": (*spread((5.0, 0.8, 0.8), (100, 512, 512), 25, 4), 13, ("CT",), 1.0),
    "CT just past the low resolution": (*spread((2.5, 0.9, 0.9), (95, 250, 260), 25, 8), 2, ("CT",), 1.0),
    "tiny volumes": (*spread((1, 1, 1), (36, 50, 35), 20, 5), 2, ("MRI",), 1.0),
    "smallest that can be halved": ([[1, 1, 1]] * 4, [[8, 8, 8], [9, 8, 8], [8, 10, 8], [8, 8, 9]], 1, ("T1",), 1.0),
    "2-D": ([[999, 1, 1]] * 30, [[1, 384, 512 + 2 * n] for n in range(30)], 1, ("red", "green"), 1.0),
    "large 2-D": ([[999, 1, 1]] * 500, [[1, 1500, 1500]] * 500, 4, ("rescale_to_0_1", "nonorm"), 1.0),
}


def intensities(number):
    return Intensities(
        mean=10.0 + number, std=5, median=9, percentile_00_5=-3, percentile_99_5=40, minimum=-9, maximum=99
    )


def fingerprint_of(spacings, shapes, channels, kept):
    return Fingerprint(
        channels=channels,
        spacings_zyx_mm=spacings,
        shapes_zyx=shapes,
        kept_share=kept,
        intensities=[intensities(number) for number in range(len(channels))],
        cases_with_label={},
    )


def peer_plan(folder: Path, preset: str, fingerprint: Fingerprint, document: dict, monkeypatch, memory_gb=None) -> dict:
    """What nnU-Net's planner makes of a fingerprint."""
    raw, preprocessed = folder / "raw" / "Dataset001_X", folder / "preprocessed" / "Dataset001_X"
    (raw / "imagesTr").mkdir(parents=True, exist_ok=True)
    preprocessed.mkdir(parents=True, exist_ok=True)
    (raw / "imagesTr" / "a_0000.nii.gz").touch()
    (raw / "dataset.json").write_text(json.dumps(document))
    measured = {
        "spacings": fingerprint.spacings_zyx_mm,
        "shapes_after_crop": fingerprint.shapes_zyx,
        "median_relative_size_after_cropping": fingerprint.kept_share,
        "foreground_intensity_properties_per_channel": {
            str(number): {
                **one.model_dump(include={"mean", "std", "median", "percentile_00_5", "percentile_99_5"}),
                "min": one.minimum,
                "max": one.maximum,
            }
            for number, one in enumerate(fingerprint.intensities)
        },
    }
    (preprocessed / "dataset_fingerprint.json").write_text(json.dumps(measured))
    monkeypatch.setattr(default_experiment_planner, "nnUNet_raw", str(folder / "raw"))
    monkeypatch.setattr(default_experiment_planner, "nnUNet_preprocessed", str(folder / "preprocessed"))
    monkeypatch.setattr(default_experiment_planner, "maybe_convert_to_dataset_name", lambda name: name)
    extra = {} if memory_gb is None else {"gpu_memory_target_in_gb": memory_gb}
    planner = PLANNERS[preset]("Dataset001_X", **extra)
    monkeypatch.setattr(planner, "determine_reader_writer", lambda: type("SimpleITKIO", (), {}))
    with torch.device("meta"):  # it builds every network that it weighs; their weights are not needed
        planner.plan_experiment()
    return json.loads((preprocessed / f"{planner.plans_identifier}.json").read_text())


def dataset_json(channels, labels, cases, order=None):
    names = {str(number): name for number, name in enumerate(channels)}
    extra = {} if order is None else {"regions_class_order": order}
    return {"channel_names": names, "labels": labels, "numTraining": cases, "file_ending": ".nii.gz", **extra}


NORMALISATIONS = {
    "CTNormalization": "ct",
    "ZScoreNormalization": "z_score",
    "NoNormalization": "none",
    "RescaleTo01Normalization": "rescale_0_1",
}


def nested(value):
    """Lists as tuples, all the way down."""
    return tuple(nested(part) for part in value) if isinstance(value, list) else value


def decisions(configuration: dict) -> dict:
    """nnU-Net's decisions in our words."""
    shape = configuration["architecture"]["arch_kwargs"]
    network = configuration["architecture"]["network_class_name"].rpartition(".")[2]
    return {
        "median_size": tuple(round(size) for size in configuration["median_image_size_in_voxels"]),
        "patch_size": nested(configuration["patch_size"]),
        "batch_size": configuration["batch_size"],
        "normalisation": tuple(NORMALISATIONS[one] for one in configuration["normalization_schemes"]),
        "normalise_in_mask": nested(configuration["use_mask_for_norm"]),
        "batch_dice": configuration["batch_dice"],
        "previous": configuration.get("previous_stage"),
        "architecture": {
            "network": {"PlainConvUNet": "plain_unet", "ResidualEncoderUNet": "residual_unet"}[network],
            "features": nested(shape["features_per_stage"]),
            "kernel_sizes": nested(shape["kernel_sizes"]),
            "strides": nested(shape["strides"]),
            "encoder_blocks": nested(shape.get("n_conv_per_stage", shape.get("n_blocks_per_stage"))),
            "decoder_convolutions": nested(shape["n_conv_per_stage_decoder"]),
        },
    }


def assert_same(ours: Plan, theirs: dict) -> None:
    """Every decision of nnU-Net's is ours."""
    assert [one.name for one in ours.configurations] == [
        name for name in ("2d", "3d_lowres", "3d_fullres", "3d_cascade_fullres") if name in theirs["configurations"]
    ]
    assert list(ours.transpose_forward) == theirs["transpose_forward"]
    for one in ours.configurations:
        given = theirs["configurations"][one.name]
        given = {**theirs["configurations"].get(given.get("inherits_from"), {}), **given}
        assert one.spacing == pytest.approx(given["spacing"], rel=1e-12)
        assert one.model_dump(exclude={"name", "spacing"}) == decisions(given)


@pytest.mark.parametrize("preset", PLANNERS)
@pytest.mark.parametrize("name", FINGERPRINTS)
def test_plans_equal_those_of_nnunet(name, preset, tmp_path, monkeypatch):
    spacings, shapes, classes, channels, kept = FINGERPRINTS[name]
    fingerprint = fingerprint_of(spacings, shapes, channels, kept)
    labels = {"background": 0, **{f"label {value}": value for value in range(1, classes + 1)}}
    document = dataset_json(channels, labels, fingerprint.cases)
    ours = make_plan("x", fingerprint, labels_of_nnunet(document), preset)
    assert_same(ours, peer_plan(tmp_path, preset, fingerprint, document, monkeypatch))


@pytest.mark.parametrize("memory_gb", [4, 11, 24])
def test_another_memory_budget_is_planned_alike(memory_gb, tmp_path, monkeypatch):
    spacings, shapes, _, channels, kept = FINGERPRINTS["large CT"]
    fingerprint = fingerprint_of(spacings, shapes, channels, kept)
    document = dataset_json(channels, {"background": 0, "organ": 1, "ignore": 2}, fingerprint.cases)
    ours = make_plan("x", fingerprint, labels_of_nnunet(document), memory_gb=memory_gb)
    theirs = peer_plan(tmp_path, "plain", fingerprint, document, monkeypatch, memory_gb)
    assert_same(ours, theirs)


def test_random_fingerprints_are_planned_alike(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    names = set()
    for number in range(8):
        spacing = np.exp(rng.uniform(np.log(0.4), np.log(5), 3))
        shape = np.exp(rng.uniform(np.log(12 if number % 2 else 150), np.log(600), 3))
        spacings, shapes = spread(spacing, shape, int(rng.integers(3, 80)), number)
        fingerprint = fingerprint_of(spacings, shapes, ("T1", "ct"), float(rng.uniform(0.5, 1)))
        document = dataset_json(("T1", "ct"), {"background": 0, "a": 1, "b": [1, 2]}, fingerprint.cases, [1, 2])
        ours = make_plan("x", fingerprint, Labels(labels={"a": 1, "b": [1, 2]}, region_order=(1, 2)))
        folder = tmp_path / str(number)
        assert_same(ours, peer_plan(folder, "plain", fingerprint, document, monkeypatch))
        names |= {one.name for one in ours.configurations}
    assert names == {"2d", "3d_fullres", "3d_lowres", "3d_cascade_fullres"}
