"""Every value of a whole result goes to the worker and comes back as it was."""

import dataclasses
import typing
from collections.abc import Iterator

import numpy as np
import pytest

from mtann.backends.computation import Computation
from mtann.detection.candidate import Candidate, DetectionResult, InputReference, ModelReference
from mtann.geometry import Geometry
from mtann.segmentation.result import Segmentation
from mtann.settings import DetectionSettings
from mtann.unets.two_stage import TwoStageResult
from mtann.volume import Volume
from mtann.worker.protocol import message_from, to_line
from mtann.worker.values import _CLASSES, Parcel, from_json, to_json

GRID = Geometry((3, 4, 5), (0.7, 0.9, 2.1), (12.5, -40.25, 7.75))
CANDIDATE = Candidate(
    1, (1.0, 2.0, 3.0), (1.5, 2.5, 3.5), 0.75, 0.625, "lesion", True, 12.5, 4.0, 3.0, 5.0, 1.6, (0.75, 0.5), 7, 0.25
)


def parts_of(kind: typing.Any) -> Iterator[type]:
    """Our classes that a type's fields name, itself among them."""
    if dataclasses.is_dataclass(kind):
        yield kind
        for hint in typing.get_type_hints(kind).values():
            yield from parts_of(hint)
    elif isinstance(kind, type) and kind.__module__.startswith("mtann"):
        yield kind
    for part in typing.get_args(kind):
        yield from parts_of(part)


@pytest.mark.parametrize("kind", [DetectionResult, Segmentation, TwoStageResult])
def test_every_class_within_a_result_may_pass(kind):
    names = {one.__name__: one.__module__ for one in parts_of(kind)}
    assert {"ModelReference", "InputReference", "Volume", "Geometry"} < set(names)
    assert {name: _CLASSES.get(name) for name in names} == names


def test_a_whole_detection_comes_back(tmp_path):
    likelihood = np.linspace(0, 1, 60, dtype=np.float32).reshape(GRID.shape_zyx)
    result = DetectionResult(
        Volume(likelihood, GRID, "likelihood"),
        Volume((likelihood > 0.5).astype(np.uint16), GRID, "candidates"),
        (CANDIDATE, dataclasses.replace(CANDIDATE, id=2, probability=None, reported=False, given_score=None)),
        ModelReference("m", "1.0.0", "0" * 64),
        (InputReference("t1c", "head.nii.gz", "1" * 64),),
        DetectionSettings(scales_mm=(1.6, 4.1)),
        0.5,
        "operating point balanced",
        ("Mind the noise.",),
        Computation("cpu", "openvino", "fp32", "it is installed"),
    )
    message = message_from(to_line({"value": to_json(result, Parcel(tmp_path, "a"))}))
    back = from_json(message["value"], tmp_path)
    for one in dataclasses.fields(DetectionResult):
        if one.name not in ("likelihood", "candidate_map"):
            assert getattr(back, one.name) == getattr(result, one.name)
    np.testing.assert_array_equal(back.likelihood.array, likelihood)
    np.testing.assert_array_equal(back.candidate_map.array, result.candidate_map.array)
    assert back.likelihood.geometry == GRID
    assert back.candidate_map.array.dtype == np.uint16
