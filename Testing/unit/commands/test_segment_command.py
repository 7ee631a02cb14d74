"""``mtann segment`` with U-Nets: files, lists of cases, options that do not fit the model."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from small_models import ball_model
from small_unets import REGIONS, image, small_unet
from unet_plans import plan

from mtann import segment
from mtann.cli import main
from mtann.models.bundle import save_bundle
from mtann.models.nnunet.export import export_bundle
from mtann.segmentation.result import SegmentationSettings
from mtann.volume_io import read_volume, write_volume

CPU = SegmentationSettings(device="cpu", backend="torch", precision="fp32")
ALWAYS = ["overlay.png", "report.html", "segmentation.json", "segmentation.nii.gz"]
OPTIONS = ("--device", "cpu", "--backend", "torch", "--precision", "fp32")


@pytest.fixture
def place(tmp_path):
    write_volume(image(), tmp_path / "image.nii.gz")
    save_bundle(small_unet(mirror=(0, 1)), tmp_path / "model")
    return tmp_path


def run(place, *words, model="model", images=("image.nii.gz",)):
    files = [str(place / name) for name in images]
    command = ["segment", *files, "--model", str(place / model), "--output", str(place / "out"), *OPTIONS, *words]
    return main([str(word) for word in command])


def document(place, folder="out"):
    return json.loads((place / folder / "segmentation.json").read_text())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_labels_and_what_they_are_are_written(place, capsys):
    for _ in range(2):  # a former result is replaced
        assert run(place) == 0
    assert names(place / "out") == ALWAYS
    expected = segment(read_volume(place / "image.nii.gz"), small_unet(mirror=(0, 1)), CPU)
    written = read_volume(place / "out" / "segmentation.nii.gz")
    np.testing.assert_array_equal(written.array, expected.label_map.array)
    assert written.array.dtype == np.uint8 and written.geometry.matches(expected.label_map.geometry)
    told = document(place)
    assert told["labels"] == {"1": "oedema", "2": "core"}
    assert told["volumes_mm3"] == {label.name: label.volume_mm3 for label in expected.labels}
    assert told["volume_mm3"] == np.count_nonzero(written.array)
    assert told["patches"] == {"run": 8, "all": 8}
    assert told["settings"]["folds"] == ["0"] and told["computation"].startswith("torch on cpu, fp32")
    assert "Research" in told["research_use_notice"]
    told_of_core = f"core: {told['volumes_mm3']['core'] / 1000:.2f} mL in {told['components']['core']} component"
    assert told_of_core in capsys.readouterr().out
    page = (place / "out" / "report.html").read_text()
    assert "2 of 2 labels found" in page and "oedema" in page and "Not a medical device" in page
    assert str(place) not in page
    assert str(place) not in json.dumps(told)


def test_a_folder_of_nnunet_is_a_model(place):
    (folder,) = export_bundle(small_unet(mirror=(0, 1)), place / "nnunet")
    assert run(place, "--json", model=folder.relative_to(place)) == 0
    expected = segment(read_volume(place / "image.nii.gz"), small_unet(mirror=(0, 1)), CPU)
    np.testing.assert_array_equal(read_volume(place / "out" / "segmentation.nii.gz").array, expected.label_map.array)


def test_overlapping_regions_are_written_as_slicer_keeps_them(place):
    bundle = small_unet(plan(**REGIONS))
    save_bundle(bundle, place / "regions")
    assert run(place, model="regions") == 0
    assert names(place / "out") == [*ALWAYS, "segmentation.seg.nrrd"]
    expected = segment(read_volume(place / "image.nii.gz"), bundle, CPU)
    written = sitk.ReadImage(str(place / "out" / "segmentation.seg.nrrd"))
    array = sitk.GetArrayFromImage(written)
    assert written.GetNumberOfComponentsPerPixel() == 2
    for number, label in enumerate(expected.labels):
        np.testing.assert_array_equal(array[..., number], label.mask.array)
        assert written.GetMetaData(f"Segment{number}_Name") == label.name
        assert written.GetMetaData(f"Segment{number}_Layer") == str(number)
    assert document(place)["labels"] == {"1,2": "whole", "2": "core"}
    assert np.allclose(written.GetSpacing(), (1, 1, 1))
    header = (place / "out" / "segmentation.seg.nrrd").read_bytes()[:2000].decode("latin-1")
    assert "kinds: list domain domain domain" in header


def test_probabilities_are_a_file_a_class(place):
    assert run(place, "--probabilities") == 0
    files = [f"probability_{number}_{name}.nii.gz" for number, name in enumerate(("background", "oedema", "core"))]
    assert names(place / "out") == sorted([*files, *ALWAYS])
    arrays = np.stack([read_volume(place / "out" / file).array for file in files])
    np.testing.assert_allclose(arrays.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(arrays.argmax(axis=0), read_volume(place / "out" / "segmentation.nii.gz").array)


def test_only_about_given_places_is_segmented(place):
    (place / "points.csv").write_text("x_lps_mm,y_lps_mm,z_lps_mm,radius_mm\n4,4,4,1\n")
    long = image((60, 20, 24))
    write_volume(long, place / "image.nii.gz")
    assert run(place, "--around", place / "points.csv") == 0
    told = document(place)
    assert told["patches"]["run"] < told["patches"]["all"] and "nobody looked there" in told["warnings"][0]
    whole = segment(read_volume(place / "image.nii.gz"), small_unet(mirror=(0, 1)), CPU).label_map.array
    part = read_volume(place / "out" / "segmentation.nii.gz").array
    np.testing.assert_array_equal(part[:15, :15, :15], whole[:15, :15, :15])
    assert told["boxes"] == [[[0, 16]] * 3]
    assert "Darkened parts were not looked at" in (place / "out" / "report.html").read_text()
    assert part[:15, :15, :15].any() and not part[16:].any() and whole[16:].any()


def test_a_list_of_cases_is_resumed(place, capsys):
    write_volume(image(seed=3), place / "other.nii.gz")
    (place / "cases.csv").write_text("case,patient,t1\na,1,image.nii.gz\nb,2,other.nii.gz\nc,3,image.nii.gz\n")
    list_of = ("--cases", place / "cases.csv", "--json")
    assert run(place, *list_of, images=()) == 0
    assert [case["status"] for case in json.loads(capsys.readouterr().out)["cases"]] == ["done"] * 3
    assert [names(place / "out" / case) for case in "abc"] == [ALWAYS] * 3
    write_volume(image(seed=4), place / "other.nii.gz")
    (place / "out" / "c" / "segmentation.json").unlink()
    (place / "out" / "c" / "segmentation.nii.gz").unlink()
    for name in ("overlay.png", "report.html"):
        (place / "out" / "c" / name).unlink()
    assert run(place, *list_of, images=()) == 0
    statuses = [case["status"] for case in json.loads(capsys.readouterr().out)["cases"]]
    assert statuses == ["skipped", "done", "done"]
    assert run(place, *list_of, "--no-mirroring", images=()) == 0
    assert {case["status"] for case in json.loads(capsys.readouterr().out)["cases"]} == {"done"}


def test_a_case_that_fails_is_told_and_the_others_go_on(place, capsys):
    write_volume(image().with_array(np.zeros((22, 20, 24), np.float32)), place / "empty.nii.gz")
    (place / "cases.csv").write_text("case,patient,t1\na,1,empty.nii.gz\nb,2,image.nii.gz\n")
    assert run(place, "--cases", place / "cases.csv", images=()) == 2
    told = capsys.readouterr()
    assert "[1/2] a: 'empty.nii.gz' has the value 0.0 in every voxel" in told.out
    assert "1 of 2 cases failed: a." in told.err
    assert names(place / "out") == ["b"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--threshold", "0.5"), "U-Net, which has no threshold"),
        (("--folds", "3"), "no fold 3; it has: 0"),
        (("--overlap", "1"), "'overlap' cannot be 1.0"),
        (("--around",), "as --around FILE"),
    ],
)
def test_options_that_do_not_fit_are_refused_and_nothing_is_written(place, capsys, words, complaint):
    assert run(place, *words) == 2
    assert complaint in capsys.readouterr().err
    assert not (place / "out").exists()


@pytest.mark.slow
def test_options_of_unets_are_refused_for_mtanns(place, capsys):
    save_bundle(ball_model(), place / "balls")
    assert run(place, "--folds", "0", model="balls") == 2
    assert "The model is an MTANN; folds are for U-Nets" in capsys.readouterr().err


def test_a_wrong_number_of_images_names_the_channels(place, capsys):
    assert run(place, images=("image.nii.gz", "image.nii.gz")) == 2
    assert "needs 1 channel(s) (t1) but 2 image(s) were given" in capsys.readouterr().err


def test_models_that_do_not_segment_are_refused(place, capsys):
    from unit.enhancement.pictures import denoiser

    save_bundle(denoiser(), place / "denoiser")
    assert run(place, model="denoiser") == 2
    assert "does not segment. Use it with 'mtann enhance'" in capsys.readouterr().err
