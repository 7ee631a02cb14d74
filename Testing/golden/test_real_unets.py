"""U-Nets on real brains, end to end: trained a little, they say nothing about accuracy, but must come to the end."""

import json

import numpy as np
import pytest

from mtann.cli import main
from mtann.models.bundle import load_card
from mtann.models.unet_card import UNetCard
from mtann.planning.plan import Architecture, Configuration, Intensities, Plan
from mtann.volume_io import read_volume

pytestmark = [pytest.mark.scans, pytest.mark.slow]

QUICK = ["--epochs", "1", "--iterations", "3", "--validation-iterations", "1", "--mirror", "false", "--device", "cpu"]


def brain_plan(channels, **values) -> Plan:
    """Three stages of a few features on a 2 mm grid."""
    architecture = Architecture(
        features=(4, 8, 16),
        kernel_sizes=((3, 3, 3),) * 3,
        strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)),
        encoder_blocks=(1, 1, 1),
        decoder_convolutions=(1, 1),
    )
    configuration = Configuration(
        name="3d_fullres",
        spacing=(2.0, 2.0, 2.0),
        median_size=(80, 90, 70),
        patch_size=(48, 48, 48),
        batch_size=2,
        normalisation=("z_score",) * len(channels),
        normalise_in_mask=(True,) * len(channels),
        batch_dice=False,
        architecture=architecture,
    )
    measured = Intensities(mean=0, std=1, median=0, percentile_00_5=-1, percentile_99_5=1, minimum=-2, maximum=2)
    return Plan(
        name="brains",
        channels=channels,
        intensities=(measured,) * len(channels),
        configurations=(configuration,),
        **values,
    )


def crossval(folder, plan, rows, folds):
    (folder / "plan.json").write_text(plan.model_dump_json())
    (folder / "cases.csv").write_text("\n".join([",".join(["case", "patient", *plan.channels, "lesions"]), *rows]))
    words = ["crossval", "--plan", folder, "--cases", folder / "cases.csv", "--output", folder / "model"]
    assert main([str(word) for word in [*words, "--folds", folds, *QUICK]]) == 0
    card, _ = load_card(folder / "model")
    assert isinstance(card, UNetCard)
    assert card.folds == tuple(str(fold) for fold in range(folds))
    return card


def segmented(folder, images):
    words = ["segment", *images, "--model", folder / "model", "--output", folder / "out", "--device", "cpu"]
    assert main([str(word) for word in words]) == 0
    found = read_volume(folder / "out" / "segmentation.nii.gz")
    assert found.geometry.matches(read_volume(images[0]).geometry, tolerance_mm=1e-4)
    return found.array


def test_lesions_of_multiple_sclerosis_in_three_folds(scans, tmp_path):
    channels = ("flair", "t1")
    rows = [
        ",".join([name, name, *(str(scans / "open_ms" / name / f"{part}.nii.gz") for part in (*channels, "lesions"))])
        for name in ("patient07", "patient19", "patient26")
    ]
    card = crossval(tmp_path, brain_plan(channels, labels={"lesion": (1,)}), rows, 3)
    assert card.training_cases == 3
    text = json.dumps(card.model_dump(mode="json"))
    assert "patient07" not in text
    assert str(scans) not in text
    found = segmented(tmp_path, [scans / "open_ms" / "patient26" / f"{part}.nii.gz" for part in channels])
    assert set(np.unique(found)) <= {0, 1}


def test_overlapping_regions_of_gliomas_in_two_folds(scans, tmp_path):
    channels = ("flair", "t1c")
    folder = scans / "tcga_lgg"
    rows = [
        ",".join([f"c{n}", f"p{n}", *(str(folder / name / f"{part}.nii.gz") for part in (*channels, "silver_labels"))])
        for n, name in enumerate(("TCGA-DU-7294", "TCGA-FG-6692"))
    ]
    regions = {"labels": {"whole": (1, 2, 4), "core": (1, 4), "enhancing": (4,)}, "region_order": (2, 1, 4)}
    card = crossval(tmp_path, brain_plan(channels, **regions), rows, 2)
    assert {one.label for one in card.measured} >= {"whole", "core"}
    found = segmented(tmp_path, [folder / "TCGA-FG-6692" / f"{part}.nii.gz" for part in channels])
    assert set(np.unique(found)) <= {0, 1, 2, 4}
