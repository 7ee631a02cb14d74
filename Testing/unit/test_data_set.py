"""Data sets for U-Nets: read from a case list or nnU-Net's raw folder, measured, and refused where they do not fit."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from mtann.cli import main
from mtann.data_set import measure, read_data_set
from mtann.errors import CasesError, MTANNError
from mtann.planning.plan import Plan
from mtann.unets.planned import read_cases, read_plan


def write(path, array, spacing_xyz=(1, 1, 1), origin=(0, 0, 0)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing_xyz)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path))


@pytest.fixture
def raw(tmp_path):
    """Two cases of two channels; a border of zeros; lesions of known intensity."""
    folder = tmp_path / "raw"
    for number, (case, z) in enumerate((("a", 2.0), ("b", 3.0))):
        image = np.zeros((12, 20, 24), np.float32)
        image[1:11, 2:18, 3:21] = 50
        labels = np.zeros((12, 20, 24), np.uint8)
        labels[4:8, 5:9, 6:10] = 1
        labels[4:8, 10:12, 6:10] = 2
        image[labels > 0] = 100 + 10 * number
        write(folder / "imagesTr" / f"{case}_0000.nii.gz", image, (1, 1, z))
        write(folder / "imagesTr" / f"{case}_0001.nii.gz", image * 2, (1, 1, z))
        write(folder / "labelsTr" / f"{case}.nii.gz", labels, (1, 1, z))
    document = {
        "channel_names": {"0": "CT", "1": "PET"},
        "labels": {"background": 0, "core": 1, "edge": 2},
        "numTraining": 2,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(document))
    return folder


def test_a_raw_folder_is_measured(raw):
    found = measure(read_data_set(raw))
    assert found.channels == ("CT", "PET")
    assert found.spacings_zyx_mm == ((2, 1, 1), (3, 1, 1))
    assert found.shapes_zyx == ((10, 16, 18),) * 2
    assert found.kept_share == pytest.approx(10 * 16 * 18 / (12 * 20 * 24))
    ct, pet = found.intensities
    # Half of the foreground's weight is 100, half is 110, however many voxels each case has.
    assert (ct.mean, ct.std, ct.median, ct.minimum, ct.maximum) == (105, 5, 105, 100, 110)
    assert (pet.mean, pet.percentile_00_5, pet.percentile_99_5) == (210, 200, 220)
    assert found.cases_with_label == {"core": 2, "edge": 2}


def test_a_case_list_is_the_same_data_set(raw, tmp_path):
    lines = ["case,patient,CT,PET,lesions"]
    lines += [
        f"{c},{c},raw/imagesTr/{c}_0000.nii.gz,raw/imagesTr/{c}_0001.nii.gz,raw/labelsTr/{c}.nii.gz" for c in "ab"
    ]
    (tmp_path / "cases.csv").write_text("\n".join(lines))
    (tmp_path / "labels.json").write_text(json.dumps({"labels": {"core": 1, "edge": 2}}))
    listed = read_data_set(tmp_path / "cases.csv", tmp_path / "labels.json")
    assert measure(listed) == measure(read_data_set(raw))
    with pytest.raises(CasesError, match="needs --labels"):
        read_data_set(tmp_path / "cases.csv")


def spoil(folder, what):
    """Break a raw folder in one way."""
    labels = folder / "labelsTr" / "b.nii.gz"
    image = sitk.ReadImage(str(labels))
    array = sitk.GetArrayFromImage(image)
    document = json.loads((folder / "dataset.json").read_text())
    if what == "undeclared":
        array[0, 0, 0] = 7
        write(labels, array, image.GetSpacing())
    elif what == "moved":
        write(labels, array, image.GetSpacing(), (0, 0, 1.5))
    elif what == "smaller":
        write(labels, array[:-1], image.GetSpacing())
    elif what == "empty":
        for case in "ab":
            write(
                folder / "labelsTr" / f"{case}.nii.gz",
                array * 0,
                sitk.ReadImage(str(folder / f"labelsTr/{case}.nii.gz")).GetSpacing(),
            )
    elif what == "channel":
        (folder / "imagesTr" / "b_0001.nii.gz").unlink()
    elif what == "label map":
        labels.unlink()
    elif what == "gap":
        document["labels"] = {"background": 0, "core": 1, "edge": 3}
    (folder / "dataset.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("undeclared", "case 'b' holds values that are not declared: 7. Declared are 0, 1, 2"),
        ("moved", "case 'b' does not lie on the grid of its first image"),
        ("smaller", "case 'b' does not lie on the grid of its first image"),
        ("empty", "No case has any foreground"),
        ("channel", "Case 'b' lacks channel 1: there is no 'b_0001.nii.gz'.*colour"),
        ("label map", "Case 'b' has no label map 'b.nii.gz'"),
        ("gap", "consecutive.*found 1, 3"),
    ],
)
def test_what_does_not_fit_is_refused(raw, what, said):
    spoil(raw, what)
    with pytest.raises(MTANNError, match=said):
        measure(read_data_set(raw))


def test_the_command_plans_and_replaces_only_plans(raw, tmp_path, capsys):
    output = tmp_path / "plan"
    assert main(["plan", "--cases", str(raw), "--output", str(output), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["plan"]
    text = (output / "plan.json").read_text()
    plan = Plan.model_validate_json(text)
    assert plan.model_dump(mode="json") == printed
    assert plan.configuration("3d_fullres").spacing == (2.5, 1, 1)
    patch = list(plan.configuration("3d_fullres").patch_size)
    assert f'"patch_size": {patch}' in text  # a list stands on one line
    assert str(tmp_path) not in text
    assert main(["plan", "--cases", str(raw), "--output", str(output), "--preset", "residual_m"]) == 0
    assert main(["plan", "--cases", str(raw), "--output", str(raw)]) == 2
    assert "not a former plan" in capsys.readouterr().err


def test_a_raw_folder_is_trained_on_as_it_is(raw, tmp_path):
    assert main(["plan", "--cases", str(raw), "--output", str(tmp_path / "plan")]) == 0
    plan = read_plan(tmp_path / "plan")
    cases = read_cases(raw, plan)
    found = [(one.case, one.patient, one.labels.name) for one in cases]
    assert found == [("a", "a", "a.nii.gz"), ("b", "b", "b.nii.gz")]
    assert [path.name for path in cases[1].channels] == ["b_0000.nii.gz", "b_0001.nii.gz"]
    with pytest.raises(CasesError, match="has the channels CT, PET, but the plan those"):
        read_cases(raw, plan.model_copy(update={"channels": ("CT", "T1")}))


def test_another_network_keeps_the_configurations_that_it_can_work_on(raw, tmp_path, capsys):
    output = tmp_path / "plan"
    assert main(["plan", "--cases", str(raw), "--output", str(output), "--network", "attention_unet"]) == 0
    plan = Plan.model_validate_json((output / "plan.json").read_text())
    assert {one.architecture.network for one in plan.configurations} == {"attention_unet"}
    assert main(["plan", "--cases", str(raw), "--output", str(output), "--network", "segresnet"]) == 2
    assert "multiple of 8" in capsys.readouterr().err


def test_networks_are_listed(capsys):
    assert main(["networks", "list", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["networks"]]
    assert names == [
        *("plain_unet", "residual_unet", "attention_unet", "unet_plus_plus", "segresnet", "swin_unetr", "unetr"),
    ]
