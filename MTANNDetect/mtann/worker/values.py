"""Values of the library as JSON, and back; arrays stand in memory-mapped files beside, never in the JSON.

A tagged object ``{"$": "Lesion", "fields": {...}}`` is an instance of one of the classes named below, and
``{"$": "array", "file": "7-0.npy"}`` an array in the exchange folder. Nothing else is ever built, and nothing in a
message is executed.
"""

import dataclasses
import importlib
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mtann.worker.array_file import read_array, write_array
from mtann.worker.protocol import ProtocolError

_TAG = "$"
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]+\.npy")

_CLASSES = {
    "Geometry": "mtann.geometry",
    "Volume": "mtann.volume",
    "Lesion": "mtann.sampling.lesions",
    "GivenCandidate": "mtann.detection.given",
    "TrainingCase": "mtann.cases",
    "Candidate": "mtann.detection.candidate",
    "ModelReference": "mtann.detection.candidate",
    "InputReference": "mtann.detection.candidate",
    "DetectionResult": "mtann.detection.candidate",
    "Computation": "mtann.backends.computation",
    "Segmentation": "mtann.segmentation.result",
    "SegmentationSettings": "mtann.segmentation.result",
    "SegmentedLabel": "mtann.segmentation.result",
    "ComponentInterval": "mtann.segmentation.result",
    "SegmentationUncertainty": "mtann.segmentation.result",
    "TwoStageResult": "mtann.unets.two_stage",
    "OperatingPoint": "mtann.detection.operating_points",
    "Froc": "mtann.evaluation.froc",
    "DetectionSettings": "mtann.settings",
    "NetworkSettings": "mtann.settings",
    "TrainingSettings": "mtann.settings",
    "Preprocessing": "mtann.preprocess.choose",
}
"""The classes that may pass, with their modules. They are loaded when first met: some need more than numpy."""


@dataclass
class Parcel:
    """Files that belong to one message.

    Attributes:
        folder: The exchange folder.
        name: What the files' names begin with; different for every message and side.
        files: Those written so far.
    """

    folder: Path
    name: str
    files: list[Path] = field(default_factory=list)

    def remove(self) -> None:
        """Delete the files; those that are still mapped (on Windows) stay until the folder goes."""
        for path in self.files:
            with suppress(OSError):
                path.unlink()
        self.files.clear()


def to_json(value: Any, parcel: Parcel) -> Any:
    """A value as JSON, its arrays written into the parcel's folder.

    Raises:
        TypeError: It is, or holds, something that may not pass.
        OSError: A file cannot be written.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, np.generic):
        return to_json(value.item(), parcel)
    if isinstance(value, float):
        return value if math.isfinite(value) else {_TAG: "float", "value": str(value)}
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, np.ndarray):
        return {_TAG: "array", "file": _write(value, parcel)}
    if isinstance(value, (list, tuple)):
        return [to_json(item, parcel) for item in value]
    if isinstance(value, Mapping):
        return {_key(key): to_json(item, parcel) for key, item in value.items()}
    return _tagged(value, parcel)


def from_json(value: Any, folder: Path) -> Any:
    """The value that :func:`to_json` wrote; lists come back as tuples, since the library's values are frozen.

    Raises:
        ProtocolError: It names a class or file that may not pass, or does not fit its class.
        MTANNError: A value object refuses what it is given.
    """
    if isinstance(value, list):
        return tuple(from_json(item, folder) for item in value)
    if not isinstance(value, dict):
        return value
    tag = value.get(_TAG)
    if tag is None:
        return {key: from_json(item, folder) for key, item in value.items()}
    if tag == "float":
        return float(value["value"])
    if tag == "array":
        return _read(value.get("file"), folder)
    return _instance(tag, value.get("fields"), folder)


def _key(key: Any) -> str:
    if not isinstance(key, str) or key == _TAG:
        raise TypeError(f"{key!r} cannot be a key in a message.")
    return key


def _tagged(value: Any, parcel: Parcel) -> dict[str, Any]:
    name = type(value).__name__
    if _CLASSES.get(name) != type(value).__module__:
        raise TypeError(f"A {name} cannot be sent to or from the worker.")
    if dataclasses.is_dataclass(value):
        fields = {one.name: to_json(getattr(value, one.name), parcel) for one in dataclasses.fields(value)}
    else:
        fields = to_json(value.model_dump(mode="json"), parcel)
    return {_TAG: name, "fields": fields}


def _instance(tag: Any, fields: Any, folder: Path) -> Any:
    if tag not in _CLASSES or not isinstance(fields, dict):
        raise ProtocolError(f"There is no value of kind {tag!r}; known are {', '.join(_CLASSES)}.")
    kind: Any = getattr(importlib.import_module(_CLASSES[tag]), tag)
    values = {name: from_json(item, folder) for name, item in fields.items()}
    is_settings = not dataclasses.is_dataclass(kind)
    if is_settings:
        from mtann.settings import make_settings

        return make_settings(kind, **values)
    try:
        return kind(**values)
    except TypeError as error:
        raise ProtocolError(f"The fields of a {tag} do not fit ({error}).") from error


def _write(array: np.ndarray[Any, Any], parcel: Parcel) -> str:
    name = f"{parcel.name}-{len(parcel.files)}.npy"
    path = parcel.folder / name
    parcel.files.append(path)
    write_array(path, array)
    return name


def _read(name: Any, folder: Path) -> Any:
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
        raise ProtocolError(f"An array's file must be a plain name in the exchange folder; found {name!r}.")
    try:
        return read_array(folder / name)
    except (OSError, ValueError) as error:
        raise ProtocolError(f"The array file {name} cannot be read ({type(error).__name__}: {error}).") from error
