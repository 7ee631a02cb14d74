"""Values go out and come back as they were; nothing else can be smuggled in."""

import importlib
import math
from pathlib import Path

import numpy as np
import pytest

from mtann.cases import TrainingCase
from mtann.detection.candidate import InputReference, ModelReference
from mtann.errors import GeometryError, SettingsError
from mtann.evaluation.froc import froc
from mtann.geometry import Geometry
from mtann.sampling.lesions import Lesion, lesions_from_label_map
from mtann.segmentation.result import Segmentation, SegmentationSettings, SegmentedLabel
from mtann.settings import DetectionSettings
from mtann.volume import Volume
from mtann.worker.array_file import read_array, write_array
from mtann.worker.protocol import ProtocolError, message_from, to_line
from mtann.worker.values import _CLASSES, Parcel, from_json, to_json

OBLIQUE = Geometry((4, 5, 6), (0.7, 0.9, 2.1), (12.5, -40.25, 7.75), (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))


def there_and_back(value, folder):
    message = message_from(to_line({"value": to_json(value, Parcel(folder, "a"))}))
    return from_json(message["value"], folder)


def test_a_volume_comes_back_as_it_was(tmp_path):
    array = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    back = there_and_back(Volume(array, OBLIQUE, "Zoë's 画像", "ab12"), tmp_path)
    np.testing.assert_array_equal(back.array, array)
    assert (back.geometry, back.name, back.sha256) == (OBLIQUE, "Zoë's 画像", "ab12")
    assert back.array.dtype == np.float32
    assert isinstance(back.array.base, np.memmap) or isinstance(back.array, np.memmap)
    assert not back.array.flags.writeable


@pytest.mark.parametrize("kind", ["uint8", "int16", ">i2", "uint16", "float64", "bool"])
@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_arrays_of_every_kind_and_order_come_back(tmp_path, kind, order):
    array = (np.arange(120).reshape(4, 5, 6) % 7).astype(kind)
    array = array[:, ::-2] if order == "strided" else np.asarray(array, order=order)
    back = there_and_back(array, tmp_path)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 0, 2), (1, 1, 1)])
def test_small_and_empty_arrays_come_back(tmp_path, shape):
    array = np.ones(shape, np.float32)
    np.testing.assert_array_equal(there_and_back(array, tmp_path), array)


def test_a_training_case_with_outlines_comes_back(tmp_path):
    labels = np.zeros(OBLIQUE.shape_zyx, np.uint8)
    labels[1:3, 2:4, 2:5] = 1
    lesions = lesions_from_label_map(Volume(labels, OBLIQUE, "labels"))
    image = Volume(np.random.default_rng(0).normal(size=OBLIQUE.shape_zyx), OBLIQUE, "t1")
    point = Lesion(tuple(OBLIQUE.lps_from_index((1, 2, 3)).tolist()))
    back = there_and_back(TrainingCase("a", "p", (image,), lesions, None, (point,)), tmp_path)
    assert isinstance(back, TrainingCase)
    assert (back.case, back.patient, back.mask, back.non_lesions) == ("a", "p", None, (point,))
    assert back.lesions[0].centre_lps_mm == lesions[0].centre_lps_mm
    assert back.lesions[0].outline.geometry == lesions[0].outline.geometry
    np.testing.assert_array_equal(back.lesions[0].outline.array, lesions[0].outline.array)


def test_settings_and_curves_come_back(tmp_path):
    settings = DetectionSettings(scales_mm=(1.0, 2.5), max_candidates=7)
    curve = froc([[0.9, -math.inf]], [[0.4]])
    back = there_and_back({"settings": settings, "curve": curve, "path": Path("a b"), "n": np.int64(3)}, tmp_path)
    assert back["settings"] == settings
    np.testing.assert_array_equal(back["curve"].sensitivity, curve.sensitivity)
    assert (back["curve"].lesions, back["n"], back["path"]) == (2, 3, str(Path("a b").absolute()))


def test_a_segmentation_with_overlapping_regions_comes_back(tmp_path):
    labels = np.zeros(OBLIQUE.shape_zyx, np.uint8)
    labels[1:3, 2:4, 2:5] = 2
    label_map = Volume(labels, OBLIQUE, "map")
    tumour = SegmentedLabel("tumour", (1, 2), 15.9, label_map)
    result = Segmentation(
        label_map,
        (tumour, SegmentedLabel("core", (2,), 15.9)),
        ModelReference("m", "1", "0" * 64),
        (InputReference("t1", "image", ""),),
        SegmentationSettings(folds=("0", "1"), overlap=0.25),
        "argmax",
        patches=(3, 8),
        warnings=("Mind.",),
    )
    back = there_and_back(result, tmp_path)
    assert (back.settings, back.model, back.inputs) == (result.settings, result.model, result.inputs)
    assert [(one.name, one.values, one.volume_mm3) for one in back.labels] == [
        ("tumour", (1, 2), 15.9),
        ("core", (2,), 15.9),
    ]
    assert (back.patches, back.warnings, back.origin, back.labels[1].mask) == ((3, 8), ("Mind.",), "argmax", None)
    np.testing.assert_array_equal(back.labels[0].mask.array, labels)
    np.testing.assert_array_equal(back.label_map.array, labels)


def test_every_class_that_may_pass_exists():
    for name, module in _CLASSES.items():
        assert getattr(importlib.import_module(module), name).__module__ == module


@pytest.mark.parametrize("number", [math.inf, -math.inf, 0.1, -0.0])
def test_every_number_comes_back(tmp_path, number):
    assert there_and_back([number], tmp_path) == (number,)
    assert math.isnan(there_and_back(math.nan, tmp_path))


@pytest.mark.parametrize("name", ["../secret.npy", "/etc/passwd", "a/b.npy", "a\\b.npy", "", ".npy", "a.txt", 7, None])
def test_only_plain_names_in_the_folder_are_opened(tmp_path, name):
    inside = tmp_path / "inside"
    inside.mkdir()
    write_array(tmp_path / "secret.npy", np.ones(3))
    with pytest.raises(ProtocolError, match="plain name"):
        from_json({"$": "array", "file": name}, inside)


def test_nothing_is_built_that_is_not_listed(tmp_path):
    for tag in ("Popen", "os.system", "mtann.volume.Volume", 3, ["Volume"]):
        with pytest.raises((ProtocolError, TypeError)):
            from_json({"$": tag, "fields": {}}, tmp_path)
    with pytest.raises(TypeError, match="cannot be sent"):
        to_json({"value": object()}, Parcel(tmp_path, "a"))
    with pytest.raises(TypeError, match="cannot be a key"):
        to_json({"$": "Volume"}, Parcel(tmp_path, "a"))
    with pytest.raises(TypeError, match="objects"):
        to_json(np.array([object()]), Parcel(tmp_path, "a"))


def test_fields_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ProtocolError, match="fields of a Lesion"):
        from_json({"$": "Lesion", "fields": {"radius": 3}}, tmp_path)
    with pytest.raises(GeometryError, match="positive spacing"):
        from_json(
            {
                "$": "Geometry",
                "fields": {"shape_zyx": [1, 1, 1], "spacing_xyz_mm": [0, 1, 1], "origin_lps_mm": [0, 0, 0]},
            },
            tmp_path,
        )
    with pytest.raises(SettingsError, match="max_candidates"):
        from_json({"$": "DetectionSettings", "fields": {"max_candidates": 0}}, tmp_path)


def test_a_file_that_is_cut_short_is_refused_before_it_is_mapped(tmp_path):
    path = tmp_path / "a-0.npy"
    write_array(path, np.ones((4, 4)))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ProtocolError, match="cut short"):
        from_json({"$": "array", "file": "a-0.npy"}, tmp_path)
    path.write_bytes(b"no array")
    with pytest.raises(ProtocolError, match="cannot be read"):
        from_json({"$": "array", "file": "a-0.npy"}, tmp_path)
    with pytest.raises(ProtocolError, match="cannot be read"):
        from_json({"$": "array", "file": "absent.npy"}, tmp_path)


def test_a_pickle_is_never_opened(tmp_path):
    np.save(tmp_path / "a-0.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ProtocolError, match="objects"):
        from_json({"$": "array", "file": "a-0.npy"}, tmp_path)


def test_zeros_take_no_room(tmp_path):
    array = np.zeros((64, 512, 512), np.float32)
    array[40, 3, 5] = 2
    write_array(tmp_path / "a.npy", array)
    status = (tmp_path / "a.npy").stat()
    assert status.st_size == array.nbytes + 128
    assert status.st_blocks * 512 < 4 * 1024 * 1024
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), array)


def test_a_parcels_files_can_be_removed(tmp_path):
    parcel = Parcel(tmp_path, "a")
    to_json([np.ones(3), np.zeros(2)], parcel)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-0.npy", "a-1.npy"]
    parcel.remove()
    assert list(tmp_path.iterdir()) == []
