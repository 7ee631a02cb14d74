"""nnU-Net v2's ``plans.json`` and ``dataset.json`` as a plan of ours."""

from typing import Any

from pydantic import ValidationError

from mtann.errors import ModelError
from mtann.models.nnunet.architecture import read_architecture
from mtann.planning.plan import Configuration, Intensities, Normalisation, Plan

NORMALISATIONS: dict[str, Normalisation] = {
    "CTNormalization": "ct",
    "ZScoreNormalization": "z_score",
    "NoNormalization": "none",
    "RescaleTo01Normalization": "rescale_0_1",
    "RGBTo01Normalization": "rgb_0_1",
}
"""Our name of a normalisation by nnU-Net's."""

RESAMPLING = "resample_data_or_seg_to_shape"
RESAMPLINGS: dict[str, dict[str, Any]] = {
    "data": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
    "seg": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
    "probabilities": {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None},
}
"""How nnU-Net's own planners have images, label maps and probabilities interpolated, which is what we do."""

_READERS = ("SimpleITKIO", "NibabelIO", "NaturalImage2DIO")
_PREPROCESSORS = ("DefaultPreprocessor",)


def read_plan(plans: dict[str, Any], dataset: dict[str, Any], configuration: str, where: str) -> Plan:
    """The plan of one configuration, and of the one whose segmentation it takes.

    Args:
        plans: Content of ``plans.json``.
        dataset: Content of ``dataset.json``.
        configuration: Which of the plan's configurations.
        where: What to call the folder in messages.

    Raises:
        ModelError: Something is missing, unknown or contradictory; the message names it.
    """
    try:
        channels = _channel_names(dataset)
        labels, order, ignore = _labels(dataset, where)
        wanted = _with_previous(plans, configuration, where)
        found = [_configuration(name, resolved, channels, where) for name, resolved in wanted.items()]
        measured = plans.get("foreground_intensity_properties_per_channel") or plans.get(
            "foreground_intensity_properties_by_modality", {}
        )
        _check_name(plans.get("image_reader_writer", _READERS[0]), _READERS, "image reader", where)
        z, y, x = plans["transpose_forward"]
        return Plan(
            name=str(plans.get("dataset_name", "nnU-Net")),
            channels=channels,
            labels=labels,
            region_order=order,
            ignore_label=ignore,
            transpose_forward=(z, y, x),
            intensities=tuple(_intensities(measured.get(str(number))) for number in range(len(channels))),
            configurations=tuple(found),
            reasons=("Imported from nnU-Net v2's plans.json.",),
        )
    except ModelError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ModelError(f"The plan of '{where}' cannot be used: '{field}': {first['msg']}.") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"plans.json or dataset.json of '{where}' is not as nnU-Net v2 writes it "
            f"({type(error).__name__}: {error}). Copy the folder again."
        ) from error


def resolve(plans: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    """A configuration with what it inherits.

    Raises:
        ModelError: There is none of the name, or configurations inherit from each other in a circle.
    """
    chain: list[str] = []
    while name is not None:
        if name in chain:
            raise ModelError(f"In plans.json of '{where}', configurations inherit in a circle: {', '.join(chain)}.")
        if name not in plans["configurations"]:
            known = ", ".join(plans["configurations"])
            raise ModelError(f"plans.json of '{where}' has no configuration '{name}'; it has: {known}.")
        chain.append(name)
        name = plans["configurations"][name].get("inherits_from")
    resolved: dict[str, Any] = {}
    for one in reversed(chain):
        resolved.update(plans["configurations"][one])
    return resolved


def _with_previous(plans: dict[str, Any], name: str, where: str) -> dict[str, dict[str, Any]]:
    """A configuration, and before it those whose segmentations it takes."""
    found: dict[str, dict[str, Any]] = {}
    wanted: str | None = name
    while wanted is not None and wanted not in found:
        resolved = resolve(plans, wanted, where)
        found = {wanted: resolved, **found}
        wanted = resolved.get("previous_stage")
    return found


def _configuration(name: str, resolved: dict[str, Any], channels: tuple[str, ...], where: str) -> Configuration:
    _check_name(resolved.get("preprocessor_name", _PREPROCESSORS[0]), _PREPROCESSORS, "preprocessor", where)
    for what, expected in RESAMPLINGS.items():
        _check_name(resolved.get(f"resampling_fn_{what}", RESAMPLING), (RESAMPLING,), "resampling function", where)
        if (found := resolved.get(f"resampling_fn_{what}_kwargs", expected)) != expected:
            raise ModelError(
                f"The plan of '{where}' has {what} resampled with {found}; known is only nnU-Net's own way, {expected}."
            )
    schemes = resolved["normalization_schemes"]
    for scheme in schemes:
        _check_name(scheme, tuple(NORMALISATIONS), "normalisation", where)
    return Configuration(
        name=name,
        spacing=tuple(map(float, resolved["spacing"])),
        median_size=tuple(max(1, round(n)) for n in resolved["median_image_size_in_voxels"]),
        patch_size=tuple(map(int, resolved["patch_size"])),
        batch_size=int(resolved["batch_size"]),
        normalisation=tuple(NORMALISATIONS[scheme] for scheme in schemes),
        normalise_in_mask=tuple(bool(one) for one in resolved["use_mask_for_norm"]),
        batch_dice=bool(resolved.get("batch_dice", False)),
        architecture=read_architecture(resolved, where),
        previous=resolved.get("previous_stage"),
    )


def _channel_names(dataset: dict[str, Any]) -> tuple[str, ...]:
    given = dataset["channel_names"] if "channel_names" in dataset else dataset["modality"]
    names = [str(given[key]) for key in sorted(given, key=int)]
    return tuple(name if names.count(name) == 1 else f"{name} {number}" for number, name in enumerate(names, start=1))


def _labels(dataset: dict[str, Any], where: str) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...], int | None]:
    """Labels in the order of the network's outputs, the values that regions are written with, and the ignore label."""
    given = {
        name: tuple(map(int, value)) if isinstance(value, (list, tuple)) else (int(value),)
        for name, value in dataset["labels"].items()
    }
    ignore = given.pop("ignore", None)
    labels = {name: values for name, values in given.items() if set(values) != {0}}
    if any(len(values) > 1 for values in labels.values()):
        return labels, tuple(map(int, dataset["regions_class_order"])), ignore[0] if ignore else None
    ordered = dict(sorted(labels.items(), key=lambda pair: pair[1]))
    values = [value for one in ordered.values() for value in one]
    if values != list(range(1, len(values) + 1)):
        raise ModelError(
            f"The labels of '{where}' are {', '.join(map(str, values))}; without regions they must be consecutive, "
            "1, 2, 3 and so on, or the network's outputs have no certain meaning. Correct dataset.json."
        )
    return ordered, (), ignore[0] if ignore else None


def _intensities(measured: dict[str, float] | None) -> Intensities:
    if measured is None:
        return Intensities(mean=0, std=1, median=0, percentile_00_5=0, percentile_99_5=0, minimum=0, maximum=0)
    names = ("mean", "std", "median", "percentile_00_5", "percentile_99_5")
    least, most = float(measured["min"]), float(measured["max"])
    return Intensities(**{name: float(measured[name]) for name in names}, minimum=least, maximum=most)


def _check_name(name: str, known: tuple[str, ...], what: str, where: str) -> None:
    if name not in known:
        raise ModelError(f"The plan of '{where}' names the {what} '{name}', not known here: {', '.join(known)}.")
