"""What label values mean: regions, ignore, modality; contradictions are told."""

import json

import pytest

from mtann.errors import CasesError, SettingsError
from mtann.planning.labels import labels_of_nnunet, read_labels


def write(tmp_path, document):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(document))
    return path


def test_plain_labels(tmp_path):
    labels = read_labels(write(tmp_path, {"labels": {"background": 0, "core": 2, "oedema": 1}}))
    assert list(labels.labels.items()) == [("oedema", (1,)), ("core", (2,))]  # as the network's outputs
    assert (labels.declared, labels.count, labels.has_regions) == ((0, 1, 2), 3, False)


def test_regions_with_ignore_and_modality(tmp_path):
    document = {
        "labels": {"whole": [1, 2], "core": 2},
        "region_order": [1, 2],
        "ignore": 3,
        "modality": {"ncct": "CT"},
    }
    labels = read_labels(write(tmp_path, document))
    assert (labels.has_regions, labels.declared, labels.count) == (True, (0, 1, 2, 3), 4)
    assert labels.normalisation_of(["ncct", "t1", "CT", "noNorm"]) == ("ct", "z_score", "ct", "none")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"labels": {"a": 1, "b": 3}}, "consecutive, 1, 2, 3 and so on, beside 0 for background; found 1, 3"),
        ({"labels": {"a": [1, 2], "b": 2}}, "need 'region_order': 2 values"),
        ({"labels": {"a": 1, "b": 1}}, "no value twice"),
        ({"labels": {"a": 1}, "ignore": 3}, "'ignore' has to be the highest value, 2; found 3"),
        ({"labels": {"a": [1, 2], "b": 2}, "region_order": [1, 7]}, "values that no label has"),
        ({"labels": {"a": 1}, "modality": {"x": "tomography"}}, "modality 'tomography'; known: ct, mr"),
        ({"labels": {"background": 0}}, "labels"),
        ({"names": {"a": 1}}, "labels"),
    ],
)
def test_contradictions_are_told(tmp_path, document, said):
    with pytest.raises(SettingsError, match=said):
        read_labels(write(tmp_path, document))


def test_what_is_no_json_object_is_told(tmp_path):
    (tmp_path / "x.json").write_text("[1")
    with pytest.raises(CasesError, match="cannot be read as JSON"):
        read_labels(tmp_path / "x.json")
    with pytest.raises(CasesError, match="no JSON object"):
        read_labels(write(tmp_path, [1]))


def test_nnunets_own_declaration():
    labels = labels_of_nnunet(
        {"labels": {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}, "regions_class_order": [1, 2]}
    )
    assert (labels.labels, labels.region_order, labels.ignore) == ({"whole": (1, 2), "core": (2,)}, (1, 2), 3)
