"""A trained model's check: which case it is made on, and what becomes of a check that fails."""

import numpy as np
import pytest
from small_unets import image, small_unet
from unet_data_sets import write_data_set
from unet_training import small_plan

from mtann.backends import computation as choosing
from mtann.data_set import LabelledCase
from mtann.errors import CancelledError
from mtann.models.bundle import load_bundle, save_bundle
from mtann.unets import checked
from mtann.unets.checked import check_case, with_checks
from mtann.unets.planned import read_cases
from mtann.unets.scores import Agreement
from mtann.volume_io import write_volume


@pytest.fixture
def case(tmp_path):
    write_volume(image(), tmp_path / "image.nii.gz")
    return LabelledCase("secret name", "p", (tmp_path / "image.nii.gz",), tmp_path / "labels.nii.gz")


def test_the_check_stands_in_the_model_and_names_no_case(case, tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "_openvino_capabilities", lambda: ("FP32",))
    bundle = with_checks(small_unet(), case, "cpu")
    (check,) = bundle.card.reduced_checks
    assert bundle.card.reduced_dice is None and check.words.endswith("has nothing faster than fp32")
    save_bundle(bundle, tmp_path / "model")
    read = load_bundle(tmp_path / "model")
    assert read.card == bundle.card and read.sha256 == bundle.sha256
    assert "secret" not in (tmp_path / "model" / "model.json").read_text()
    for name, array in small_unet().weights.items():
        np.testing.assert_array_equal(read.weights[name], array)


def test_a_check_that_fails_costs_no_model_but_stopping_stops(case, monkeypatch):
    monkeypatch.setattr(choosing, "_openvino_capabilities", lambda: ("FP32", "BF16"))
    write_volume(image().with_array(np.zeros((22, 20, 24), np.float32)), case.channels[0])
    (check,) = with_checks(small_unet(), case, "cpu").card.reduced_checks
    assert check.dice is None and check.words.endswith("could not be segmented (ImageError)")

    def fails(error):
        def check_precision(*_):
            raise error

        return check_precision

    monkeypatch.setattr(checked, "check_precision", fails(RuntimeError("no primitive in bf16")))
    (check,) = with_checks(small_unet(), case, "cpu").card.reduced_checks
    assert check.dice is None and check.words.endswith("could not be segmented (RuntimeError)")
    monkeypatch.setattr(checked, "check_precision", fails(CancelledError("Stopped")))
    with pytest.raises(CancelledError):
        with_checks(small_unet(), case, "cpu")


def test_the_case_with_most_labels_and_most_of_them_is_taken(tmp_path):
    folder = write_data_set(tmp_path, cases=3)
    cases = read_cases(folder / "cases.csv", small_plan())
    counts = ({"a": 900, "b": 0}, {"a": 5, "b": 5}, {"a": 50, "b": 5})
    measured = {
        case.case: {name: Agreement(0, true, 0) for name, true in one.items()}
        for case, one in zip(cases, counts, strict=True)
    }
    assert check_case(cases, measured).case == "case2"
    assert check_case(cases, {}).case == "case0"
