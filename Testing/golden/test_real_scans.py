"""The main job on real scans, from the command line. Figures are in the benchmarks; here it must work and be safe."""

import json
import shutil

import numpy as np
import pydicom
import pytest
from scipy import ndimage

from mtann.cli import main
from mtann.preprocess.mask import make_mask
from mtann.volume_io import read_volume

pytestmark = [pytest.mark.scans, pytest.mark.slow]

SIX_FILES = {
    "likelihood.nii.gz",
    "candidates.nii.gz",
    "candidates.json",
    "candidates.csv",
    "overlay.png",
    "report.html",
}

# Enough to go the whole way, not to be good.
QUICK = [
    "--steps",
    "60",
    "--mining-rounds",
    "0",
    "--folds",
    "0",
    "--hidden",
    "8",
    "--dilations",
    "1,2",
    "--device",
    "cpu",
]


def train(folder, header, rows):
    (folder / "cases.csv").write_text("\n".join([header, *rows]) + "\n")
    assert (
        main(["train", "mtann", "--cases", str(folder / "cases.csv"), "--output", str(folder / "model"), *QUICK]) == 0
    )
    return folder / "model"


@pytest.fixture(scope="module")
def ct_model(scans, tmp_path_factory):
    lidc = scans / "lidc"
    rows = [
        f"{name},{name},{lidc / name / 'ct.nii.gz'},{lidc / name / 'nodule.nii.gz'}"
        for name in ("LIDC-IDRI-0003", "LIDC-IDRI-0314")
    ]
    return train(tmp_path_factory.mktemp("ct"), "case,patient,ct,lesions", rows)


def test_three_channels_of_a_brain_in_and_six_files_out(scans, tmp_path):
    ms, channels = scans / "open_ms", ("flair", "t1", "t1c")
    rows = [",".join(["a", "a", *(str(ms / "patient07" / f"{name}.nii.gz") for name in (*channels, "lesions"))])]
    model = train(tmp_path, "case,patient,flair,t1,t1c,lesions", rows)
    card = json.loads((model / "model.json").read_text())
    assert card["inputs"]["mask"] == "brain"
    images = [str(ms / "patient26" / f"{name}.nii.gz") for name in channels]
    assert main(["detect", *images, "--model", str(model), "--output", str(tmp_path / "out"), "--device", "cpu"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == SIX_FILES
    brain = read_volume(images[0])
    for name in ("likelihood", "candidates"):
        assert read_volume(tmp_path / "out" / f"{name}.nii.gz").geometry.matches(brain.geometry, tolerance_mm=1e-4)
    # Interpolation onto the model's grid and back reaches two voxels beyond the brain.
    outside = ~ndimage.binary_dilation(make_mask(brain.array.astype(np.float32), "brain"), iterations=2)
    assert outside.mean() > 0.2
    for name in ("likelihood", "candidates"):
        array = read_volume(tmp_path / "out" / f"{name}.nii.gz").array
        assert array.any()
        assert not array[outside].any()


def test_a_dicom_series_comes_out_with_its_geometry_and_without_its_patient(scans, ct_model, tmp_path):
    series = scans / "lidc" / "LIDC-IDRI-0001" / "dicom"
    out = tmp_path / "out"
    assert main(["detect", str(series), "--model", str(ct_model), "--output", str(out), "--device", "cpu"]) == 0
    truth = read_volume(series.parent / "nodule.nii.gz")
    assert read_volume(out / "candidates.nii.gz").geometry.matches(truth.geometry, tolerance_mm=1e-4)
    header = pydicom.dcmread(next(series.iterdir()), stop_before_pixels=True)
    secrets = {
        str(header.get(name, ""))
        for name in ("PatientID", "PatientName", "StudyDate", "SeriesInstanceUID", "StudyInstanceUID", "SOPInstanceUID")
    }
    secrets |= {str(element.value) for element in header if element.VR in ("DA", "PN") and element.value}
    secrets |= {str(series), str(series.parent), "LIDC-IDRI-0001", "LIDC-IDRI-0003", "LIDC-IDRI-0314"}
    secrets = {secret for secret in secrets if len(secret) > 3}
    assert len(secrets) > 6
    for path in (*out.iterdir(), *ct_model.iterdir()):
        for content in contents(path):
            for secret in secrets:
                assert secret.encode() not in content, f"{path.name} holds '{secret}'"


def contents(path):
    """A file's bytes, and what is in it if it is compressed."""
    import gzip

    data = path.read_bytes()
    return [data, gzip.decompress(data)] if path.suffix == ".gz" else [data]


def test_a_series_without_one_slice_is_refused_with_the_reason(scans, ct_model, tmp_path, capsys):
    copy = tmp_path / "dicom"
    shutil.copytree(scans / "lidc" / "LIDC-IDRI-0001" / "dicom", copy)
    (copy / "-110.000000.dcm").unlink()
    assert main(["detect", str(copy), "--model", str(ct_model), "--output", str(tmp_path / "out")]) == 2
    assert "lacks 1 slice" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_slab_of_real_ct_has_lungs_within_its_mask(scans):
    ct = read_volume(scans / "lidc" / "LIDC-IDRI-0003" / "ct.nii.gz")
    nodule = read_volume(scans / "lidc" / "LIDC-IDRI-0003" / "nodule.nii.gz").array > 0
    mask = make_mask(np.asarray(ct.array, dtype=np.float32), "body", is_ct=True)
    assert mask[nodule].all()
    assert 0.2 < mask.mean() < 0.8


@pytest.mark.parametrize(
    ("name", "file"), [("LIDC-IDRI-0001", "dicom"), ("LIDC-IDRI-0003", "ct.nii.gz"), ("LIDC-IDRI-0314", "ct.nii.gz")]
)
def test_lungs_of_slabs_and_of_a_part_of_a_chest_hold_their_nodule_and_no_heart(scans, name, file):
    ct = read_volume(scans / "lidc" / name / file)
    nodule = read_volume(scans / "lidc" / name / "nodule.nii.gz").array > 0
    array = np.asarray(ct.array, dtype=np.float32)
    mask = make_mask(array, "lung", is_ct=True, spacing_zyx_mm=ct.geometry.spacing_zyx_mm)
    assert mask[nodule].all()
    assert 0.1 < mask.mean() < 0.35
    assert np.mean(array[mask] < -500) > 0.75
    # Nothing of the table, the clothes and the air about the patient.
    assert not mask[:, :20].any()
