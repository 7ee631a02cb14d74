"""``mtann synthesize``: scans in; cases with known lesions, their list and their origin out."""

import csv
import json

import numpy as np
import pytest
from grids import grid

from mtann.cases import load_training_case, read_case_list
from mtann.cli import main
from mtann.volume_io import read_volume, write_volume
from unit.synthetic.backgrounds import even_scan

FAST = ("--radius-mm", "3,6", "--mass-effect", 0, "--halo-mm", 0, "--tissue", "everything")


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("scans") / "t1c.nii.gz"
    volume = even_scan(grid((44, 44, 44)))
    write_volume(volume.with_array(volume.array.astype(np.int16)), path)
    return path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def refused(capsys, *arguments):
    """Run a command that must fail as a user's error; returns its one line."""
    assert run("synthesize", *arguments) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    return line


def test_a_scan_becomes_cases_ready_to_teach_with(scan, tmp_path, capsys):
    out = tmp_path / "out"
    given = ("--channels", "t1c", "--count", 3, "--copies", 2, "--seed", 4)
    assert run("synthesize", scan, "--output", out, *given, *FAST) == 0
    assert "Inserted 6 lesions into 2 synthetic cases made of 1 scans." in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"cases.csv", "scan-synthetic-1", "scan-synthetic-2"}
    files = read_case_list(out / "cases.csv", needs=["lesions"])
    assert [tuple(case.channels) for case in files] == [("t1c",), ("t1c",)]
    assert {case.patient for case in files} == {"scan"}
    case = load_training_case(files[0], keep_instances=True)
    assert len(case.lesions) == 3
    source = read_volume(scan)
    assert case.channels[0].geometry.matches(source.geometry)
    assert case.channels[0].array.dtype == source.array.dtype
    assert (case.channels[0].array != source.array).any()


def test_the_origin_of_every_lesion_is_told(scan, tmp_path):
    out = tmp_path / "out"
    assert run("synthesize", scan, "--output", out, "--count", 2, "--seed", 7, "--contrast", "2,3", *FAST) == 0
    folder = out / "scan-synthetic-1"
    names = {"image1_channel1.nii.gz", "lesions.nii.gz", "synthesis.json", "preview.png"}
    assert {path.name for path in folder.iterdir()} == names
    told = json.loads((folder / "synthesis.json").read_text())
    assert (told["recipe_name"], told["seed"], told["copy"]) == ("generic", 7, 1)
    assert told["recipe"]["contrast"] == [2.0, 3.0]
    assert told["sources"][0]["sha256"] == read_volume(scan).sha256
    labels = read_volume(folder / "lesions.nii.gz").array
    for lesion in told["lesions"]:
        assert lesion["volume_mm3"] == np.count_nonzero(labels == lesion["label"])
        assert 3.0 <= lesion["radius_mm"] <= 6.0
    assert (folder / "preview.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_same_command_gives_the_same_files(scan, tmp_path):
    for name in ("a", "b"):
        assert run("synthesize", scan, "--output", tmp_path / name, *FAST) == 0
    for path in sorted((tmp_path / "a").rglob("*.*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_a_list_keeps_patients_subgroups_masks_and_real_lesions(scan, tmp_path):
    volume = read_volume(scan)
    mask, real = np.zeros(volume.array.shape, np.uint8), np.zeros(volume.array.shape, np.uint8)
    mask[3:41, 3:41, 3:41] = 1
    real[10:16, 10:16, 10:16] = 1
    write_volume(volume.with_array(mask), tmp_path / "mask.nii.gz")
    write_volume(volume.with_array(real), tmp_path / "real.nii.gz")
    listed = tmp_path / "scans.csv"
    listed.write_text(f"case,patient,t1c,mask,lesions,site\na,p,{scan},mask.nii.gz,real.nii.gz,north\nb,q,{scan},,,\n")
    out = tmp_path / "out"
    assert run("synthesize", "--cases", listed, "--output", out, "--count", 1, "--channels", "t1c", *FAST) == 0
    a, b = read_case_list(out / "cases.csv", ["t1c"], needs=["lesions"])
    assert (a.patient, a.subgroups["site"], b.patient) == ("p", "north", "q")
    assert a.mask is not None and b.mask is None
    labels = read_volume(a.lesions).array
    assert np.array_equal(labels == 2, real == 1)  # Value 1 is the synthetic lesion, then come the real ones.
    assert not labels[mask == 0].any()
    assert (
        run("synthesize", "--cases", listed, "--output", out, "--count", 1, "--channels", "t1c", "--avoid-only", *FAST)
        == 0
    )
    assert read_volume(a.lesions).array.max() == 1


def test_json_is_all_that_stands_on_standard_output(scan, tmp_path, capsys):
    assert run("synthesize", scan, "--output", tmp_path / "out", "--count", 2, "--json", *FAST) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [case["inserted"] for case in printed["cases"]] == [2]
    with (tmp_path / "out" / "cases.csv").open() as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["scan-synthetic-1"]


def test_a_list_that_is_not_ours_is_not_overwritten(scan, tmp_path, capsys):
    (tmp_path / "cases.csv").write_text("case,patient,t1c\n")
    assert "is not a list that 'mtann synthesize' wrote" in refused(capsys, scan, "--output", tmp_path)
    assert (tmp_path / "cases.csv").read_text() == "case,patient,t1c\n"


def test_a_folder_that_is_not_ours_is_not_overwritten(scan, tmp_path, capsys):
    (tmp_path / "scan-synthetic-1").mkdir()
    (tmp_path / "scan-synthetic-1" / "notes.txt").write_text("mine")
    assert "not a former synthetic case" in refused(capsys, scan, "--output", tmp_path)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--recipe", "wart"), "no recipe 'wart'. Use one of: generic"),
        (("--count", 0), "Setting 'count' cannot be"),
        (("--radius-mm", "9,3"), "Setting 'radius_mm' cannot be"),
        (("--copies", 0), "--copies takes a whole number from 1; found 0"),
        (("--seed", -1), "--seed takes a whole number from 0; found -1"),
        (("--channels", "a,b"), "--channels takes one name an image"),
        (("--cases", "list.csv"), "Give either images or --cases"),
        (("--tissue", "lung"), "No lung was found in 't1c.nii.gz'"),
        (("--radius-mm", 60, "--tissue", "everything"), "is larger than the tissue"),
    ],
)
def test_mistakes_are_told_in_one_line_and_leave_nothing_behind(scan, tmp_path, capsys, given, says):
    assert says in refused(capsys, scan, "--output", tmp_path / "out", *given)
    assert not (tmp_path / "out").exists()


def test_a_mask_beside_a_list_is_refused(scan, tmp_path, capsys):
    assert "leave out --mask" in refused(capsys, "--cases", "x.csv", "--mask", scan, "--output", tmp_path / "out")
