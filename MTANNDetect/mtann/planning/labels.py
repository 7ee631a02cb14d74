"""What a data set's label values mean: ``LABELS.json``, or the same from nnU-Net's ``dataset.json``.

``LABELS.json`` holds an object. ``labels`` maps each name to its value, or to the list of values that make up a region;
background (0) need not be listed. With regions, which may overlap, ``region_order`` gives the value that each region is
written with, in the order of ``labels``, later ones over earlier ones. ``ignore`` is the value of voxels that are not
annotated. ``modality`` says what a channel is where its name does not, for example ``{"ncct": "CT"}``::

    {"labels": {"whole": [1, 2, 3], "core": [2, 3], "enhancing": 3}, "region_order": [1, 2, 3], "ignore": 4}
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from mtann.errors import CasesError
from mtann.planning.plan import Normalisation
from mtann.settings import Settings, make_settings

MODALITIES: dict[str, Normalisation] = {
    "ct": "ct",
    "mr": "z_score",
    "mri": "z_score",
    "pet": "z_score",
    "us": "z_score",
    "z_score": "z_score",
    "zscore": "z_score",
    "none": "none",
    "nonorm": "none",
    "rescale_0_1": "rescale_0_1",
    "rescale_to_0_1": "rescale_0_1",
    "rgb_0_1": "rgb_0_1",
    "rgb_to_0_1": "rgb_0_1",
}
"""The normalisation of a modality, or of one by its own name or nnU-Net's; upper and lower case count as one."""

_BY_CHANNEL_NAME = ("ct", "nonorm", "zscore", "rescale_to_0_1", "rgb_to_0_1")
"""Channel names that nnU-Net takes for a normalisation; every other is standardised."""


class Labels(Settings):
    """The content of ``LABELS.json``."""

    labels: dict[str, tuple[int, ...]] = Field(min_length=1)
    region_order: tuple[int, ...] = ()
    ignore: int | None = None
    modality: dict[str, str] = Field(default_factory=dict)

    @field_validator("labels", mode="before")
    @classmethod
    def _values_in_tuples(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        lists = {name: value if isinstance(value, list | tuple) else [value] for name, value in given.items()}
        found = {name: values for name, values in lists.items() if list(values) != [0]}
        # Without regions a network's outputs follow the values, whatever order the names are given in.
        if all(len(values) == 1 and isinstance(values[0], int) for values in found.values()):
            return dict(sorted(found.items(), key=lambda pair: pair[1][0]))
        return found

    @model_validator(mode="after")
    def _values_fit(self) -> "Labels":
        values = self.values
        if values != tuple(range(1, len(values) + 1)):
            raise ValueError(
                f"label values have to be consecutive, 1, 2, 3 and so on, beside 0 for background; "
                f"found {', '.join(map(str, values))}"
            )
        if self.has_regions and len(self.region_order) != len(self.labels):
            raise ValueError(
                f"labels with several values are regions, which need 'region_order': {len(self.labels)} values, one a "
                f"label in this order, that each is written with; found {len(self.region_order)}"
            )
        if not self.has_regions and (self.region_order or len(values) != len(self.labels)):
            raise ValueError("labels with one value each need no 'region_order', and no value twice")
        if not set(self.region_order) <= set(values):
            raise ValueError(f"'region_order' names values that no label has: {sorted(set(self.region_order))}")
        if self.ignore is not None and self.ignore != len(values) + 1:
            raise ValueError(f"'ignore' has to be the highest value, {len(values) + 1}; found {self.ignore}")
        for channel, modality in self.modality.items():
            if modality.lower() not in MODALITIES:
                raise ValueError(f"channel '{channel}' has the modality '{modality}'; known: {', '.join(MODALITIES)}")
        return self

    @property
    def has_regions(self) -> bool:
        """Whether a label has several values."""
        return any(len(values) > 1 for values in self.labels.values())

    @property
    def values(self) -> tuple[int, ...]:
        """Every label value but background and ignore, ascending."""
        return tuple(sorted({value for values in self.labels.values() for value in values}))

    @property
    def declared(self) -> tuple[int, ...]:
        """Every value that a label map may hold."""
        return (0, *self.values, *(() if self.ignore is None else (self.ignore,)))

    @property
    def count(self) -> int:
        """How many names there are with background and ignore: what nnU-Net counts as outputs in its estimates."""
        return 1 + len(self.labels) + (self.ignore is not None)

    def normalisation_of(self, channels: Sequence[str]) -> tuple[Normalisation, ...]:
        """How each channel is normalised: by its modality, else by its name.

        Raises:
            CasesError: A modality is given for a channel that there is not.
        """
        unknown = sorted(set(self.modality) - set(channels))
        if unknown:
            raise CasesError(f"'modality' names channels that there are not: {unknown}. Use: {', '.join(channels)}.")
        return tuple(MODALITIES[self._kind_of(channel)] for channel in channels)

    def _kind_of(self, channel: str) -> str:
        named = channel.lower()
        return self.modality.get(channel, named if named in _BY_CHANNEL_NAME else "z_score").lower()


def read_labels(path: Path | str) -> Labels:
    """Read ``LABELS.json``.

    Raises:
        CasesError: The file cannot be read or is no JSON object.
        SettingsError: It contradicts itself; the message says where.
    """
    document = read_object(Path(path))
    return make_settings(Labels, **document)


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        CasesError: There is none.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CasesError(f"'{path.name}' cannot be read as JSON ({error}). Check the path and its content.") from error
    if not isinstance(document, dict):
        raise CasesError(f"'{path.name}' holds no JSON object. Begin it with '{{' and name what it holds.")
    return document


def labels_of_nnunet(document: dict[str, Any]) -> Labels:
    """The labels that nnU-Net v2's ``dataset.json`` declares.

    Raises:
        CasesError: It declares none.
        SettingsError: They contradict each other.
    """
    given = document.get("labels")
    if not isinstance(given, dict):
        raise CasesError("dataset.json has no 'labels'. Map each name to its value, 'background' to 0.")
    names = {name: value for name, value in given.items() if name not in ("background", "ignore")}
    order = tuple(document.get("regions_class_order") or ())
    regions = any(isinstance(value, list) and len(value) > 1 for value in names.values())
    return make_settings(Labels, labels=names, region_order=order if regions else (), ignore=given.get("ignore"))
