"""From a fingerprint to a plan: grid, configurations and normalisation, by nnU-Net's rules, each with its reason.

(Isensee et al., Nat Methods 18:203, 2021; the numbers are those of ``nnunetv2`` 2.8.0, against which this is tested.)
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mtann.errors import CasesError
from mtann.planning.configure import Aim, Configured, configure
from mtann.planning.fingerprint import Fingerprint
from mtann.planning.labels import Labels
from mtann.planning.plan import Configuration, Plan
from mtann.planning.presets import find_preset

ANISOTROPY = 3
"""An axis is coarse where its spacing, and its number of voxels, differ by more than this factor from the others."""

MASKED_BELOW = 0.75
"""Intensities are standardised inside the non-zero voxels alone where the cut leaves less than this share of a case."""

COVERED = 0.25
"""There is a low-resolution configuration where the patch covers less than this share of the median case."""

COARSENING = 1.03
"""Factor by which the low resolution's spacing grows in each step of its search."""

WORTHWHILE = 2
"""The low resolution is dropped where it has not at least this many times fewer voxels."""

Floats = npt.NDArray[np.float64]


def make_plan(
    name: str, fingerprint: Fingerprint, labels: Labels, preset: str = "plain", memory_gb: float | None = None
) -> Plan:
    """Derive a plan.

    Args:
        name: What to call it.
        fingerprint: What was measured on the data set.
        labels: What its label values mean.
        preset: Network and memory to plan for.
        memory_gb: GPU memory; the preset's own if None.

    Raises:
        MTANNError: The preset is unknown, the memory too small, or the cases are too small for any U-Net.
    """
    chosen = find_preset(preset)
    spacing, spacing_reason = target_spacing(fingerprint)
    coarsest = int(np.argmax(spacing))
    order = [coarsest, *(axis for axis in range(3) if axis != coarsest)]
    sizes = np.median(_sizes_on(spacing, fingerprint), axis=0)[order]
    normalisation = labels.normalisation_of(fingerprint.channels)
    masked = tuple(how == "z_score" and fingerprint.kept_share < MASKED_BELOW for how in normalisation)
    memory = chosen.memory_gb if memory_gb is None else memory_gb
    aim = Aim(chosen, memory, labels.count, normalisation, masked, fingerprint.cases)
    configured, reasons = _configurations(spacing[order], sizes, aim)
    return Plan(
        name=name,
        channels=fingerprint.channels,
        labels=labels.labels,
        region_order=labels.region_order,
        ignore_label=labels.ignore,
        transpose_forward=(order[0], order[1], order[2]),
        intensities=fingerprint.intensities,
        configurations=tuple(configured),
        reasons=(
            spacing_reason,
            _order_reason(order),
            *(_channel_reasons(fingerprint, aim)),
            *_label_reasons(fingerprint, labels),
            *reasons,
        ),
    )


def target_spacing(fingerprint: Fingerprint) -> tuple[Floats, str]:
    """The spacing of the finest grid (z, y, x), and why: the median, but finer along a coarse axis."""
    spacings = np.array(fingerprint.spacings_zyx_mm)
    target = np.percentile(spacings, 50, axis=0)
    sizes = np.percentile(np.array(fingerprint.shapes_zyx), 50, axis=0)
    worst = int(np.argmax(target))
    others = [axis for axis in range(3) if axis != worst]
    finest_other = float(target[others].max())
    coarse = target[worst] > ANISOTROPY * finest_other and sizes[worst] * ANISOTROPY < sizes[others].min()
    if coarse:
        finer = float(np.percentile(spacings[:, worst], 10))
        # It never gets finer than the other axes.
        target[worst] = finer if finer >= finest_other else finest_other + 1e-5
        how = (
            f"the median, but the 10th percentile along axis {'zyx'[worst]}, which is more than {ANISOTROPY} times "
            "coarser than the others in spacing and in number of voxels"
        )
    else:
        how = "the median of the cases"
    text = " x ".join(f"{value:g}" for value in target)
    return target, f"The full resolution is {text} mm (z, y, x): {how}."


def _sizes_on(spacing: Floats, fingerprint: Fingerprint) -> Floats:
    """Sizes of all cases on a grid of a spacing."""
    sizes = np.array(fingerprint.shapes_zyx) * (np.array(fingerprint.spacings_zyx_mm) / spacing)
    return np.round(sizes)


def _configurations(spacing: Floats, sizes: Floats, aim: Aim) -> tuple[list[Configuration], list[str]]:
    """All configurations, and why they are and are so."""
    voxels = float(np.prod(sizes)) * aim.cases
    flat = configure("2d", spacing[1:].tolist(), sizes[1:].tolist(), voxels, aim)
    if sizes[0] == 1:
        found, reasons = [flat], ["There is no 3-D configuration, since the cases are single slices."]
    else:
        full = configure("3d_fullres", spacing.tolist(), sizes.tolist(), voxels, aim)
        low, low_reason = _low_resolution(full, spacing, sizes, aim)
        found, reasons = [flat, *([low] if low else []), full], [low_reason]
        if low:
            found = [flat, low, replace(full, configuration=_changed(full.configuration, batch_dice=True))]
    usable = [one for one in found if len(one.configuration.architecture.features) > 1]
    if not usable:
        sizes_text = " x ".join(f"{size:g}" for size in sizes)
        raise CasesError(
            f"The cases are too small for a U-Net: the median is {sizes_text} voxels, and at least 8 are needed along "
            "two axes. Give larger images, or images of finer spacing."
        )
    reasons = [*(reason for one in usable for reason in one.reasons), *reasons]
    reasons += [
        f"{one.configuration.name} is left out: the cases are too small to halve." for one in found if one not in usable
    ]
    plans = [one.configuration for one in usable]
    if any(one.name == "3d_lowres" for one in plans):
        plans.append(_changed(plans[-1], name="3d_cascade_fullres", previous="3d_lowres"))
        reasons.append("3d_cascade_fullres is 3d_fullres with the segmentation of 3d_lowres as additional input.")
    return plans, reasons


def _low_resolution(full: Configured, spacing: Floats, sizes: Floats, aim: Aim) -> tuple[Configured | None, str]:
    """The low-resolution configuration, if the patch covers too little of a case; and why or why not."""
    whole = float(np.prod(sizes))
    share = float(np.prod(full.configuration.patch_size)) / whole
    if share >= COVERED:
        return None, (
            f"There is no 3d_lowres, since the patch of 3d_fullres covers {min(share, 1):.0%} of the median case; "
            f"it would take less than {COVERED:.0%}."
        )
    low, coarser, left, covered = full, spacing.copy(), whole, share
    while covered < COVERED:
        # The finer axes first, until all are within a factor of two.
        finer = coarser.max() / coarser > 2
        coarser[finer if finer.any() else slice(None)] *= COARSENING
        exact = spacing / coarser * sizes
        left = float(np.prod(exact))
        low = configure("3d_lowres", coarser.tolist(), [round(size) for size in exact.tolist()], left * aim.cases, aim)
        covered = float(np.prod(low.configuration.patch_size)) / left
    if whole / left < WORTHWHILE:
        return None, (
            f"There is no 3d_lowres: it would have only {whole / left:.1f} times fewer voxels than 3d_fullres, and "
            f"{WORTHWHILE} are asked for."
        )
    text = " x ".join(f"{value:.3g}" for value in coarser)
    return low, (
        f"There is a 3d_lowres, since the patch of 3d_fullres covers only {share:.0%} of the median case. Its spacing "
        f"({text} mm, in the network's order) grew in steps of {COARSENING - 1:.0%} until the patch covered "
        f"{covered:.0%}. Its Dice loss is of each case, that of 3d_fullres of the batch."
    )


def _changed(configuration: Configuration, **changes: object) -> Configuration:
    return Configuration(**{**dict(configuration), **changes})


def _order_reason(order: list[int]) -> str:
    names = ", ".join("zyx"[axis] for axis in order)
    if order == [0, 1, 2]:
        return "Axes stay in the order z, y, x, since no other spacing is larger than that of z."
    return f"Axes are taken in the order {names}: that of largest spacing comes first, and 2-D patches lie across it."


def _channel_reasons(fingerprint: Fingerprint, aim: Aim) -> list[str]:
    words = {
        "ct": "is clipped to its 0.5 and 99.5 percentiles and standardised by the data set's mean and deviation, as CT",
        "z_score": "is standardised case by case",
        "none": "is left as it is",
        "rescale_0_1": "is scaled to 0 to 1 case by case",
        "rgb_0_1": "is divided by 255",
    }
    inside = (
        f", inside the non-zero voxels alone, since cutting to these leaves {fingerprint.kept_share:.0%} of the median "
        f"case, less than {MASKED_BELOW:.0%}"
    )
    return [
        f"Channel '{channel}' {words[how]}{inside if masked else ''}."
        for channel, how, masked in zip(fingerprint.channels, aim.normalisation, aim.normalise_in_mask, strict=True)
    ]


def _label_reasons(fingerprint: Fingerprint, labels: Labels) -> list[str]:
    reasons = []
    if labels.has_regions:
        reasons.append("Labels are regions that may overlap, so each has an answer of its own.")
    reasons += [
        f"Label '{name}' occurs in {found} of {fingerprint.cases} cases."
        for name, found in fingerprint.cases_with_label.items()
        if found < fingerprint.cases
    ]
    return reasons
