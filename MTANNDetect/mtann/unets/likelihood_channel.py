"""The likelihood of an MTANN as a further input channel of a U-Net.

A U-Net that learns from likelihoods must see them in training as it will meet them in use: made by an MTANN that had
not learnt from the case. One that had is too sure of itself there, and the U-Net learns to trust it too far.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mtann.data_set import LabelledCase
from mtann.errors import CasesError
from mtann.models.bundle import ModelBundle
from mtann.models.card import ModelCard
from mtann.models.unet_card import UNetCard
from mtann.pipeline import detect
from mtann.planning.plan import Intensities, Plan
from mtann.progress import Run
from mtann.settings import Device
from mtann.unets.prepared import hash_image
from mtann.volume_io import read_volume, write_volume

LIKELIHOOD_CHANNEL = "mtann_likelihood"
"""Name of the channel in plans and lists of cases."""
_NOTE = "Channel mtann_likelihood: likelihoods of the MTANN model "


def overlapping_cases(cases: Sequence[LabelledCase], card: ModelCard) -> list[str]:
    """The cases that an MTANN has learnt from, told by the hashes of their images."""
    learnt = {image.sha256 for image in card.training_data}
    return [case.case for case in cases if any(hash_image(path) in learnt for path in case.channels)]


def overlap_warning(cases: Sequence[LabelledCase], bundle: ModelBundle) -> str:
    """What to say where an MTANN has learnt from cases that its likelihoods are made for; empty if it has not."""
    known = overlapping_cases(cases, bundle.card)
    if not known:
        return ""
    return (
        f"Model '{bundle.card.name}' has learnt from {len(known)} of {len(cases)} cases that its likelihoods are made "
        "for. In these it is surer than it will be in new ones, and the U-Net learns to trust it too far. "
        "Use an MTANN that was taught on other cases."
    )


def with_likelihood(plan: Plan) -> Plan:
    """A plan with the likelihood as its last channel, taken as it is: an MTANN's output is of order 1 already."""
    if LIKELIHOOD_CHANNEL in plan.channels:
        return plan
    intensities = Intensities(
        mean=0.0, std=1.0, median=0.0, percentile_00_5=0.0, percentile_99_5=1.0, minimum=0.0, maximum=1.0
    )
    configurations = tuple(
        one.model_copy(
            update={
                "normalisation": (*one.normalisation, "none"),
                "normalise_in_mask": (*one.normalise_in_mask, False),
            }
        )
        for one in plan.configurations
    )
    return plan.model_copy(
        update={
            "channels": (*plan.channels, LIKELIHOOD_CHANNEL),
            "intensities": (*plan.intensities, intensities),
            "configurations": configurations,
        }
    )


def likelihood_cases(
    cases: Sequence[LabelledCase],
    channels: Sequence[str],
    bundle: ModelBundle,
    folder: Path,
    device: Device = "auto",
    run: Run | None = None,
) -> tuple[LabelledCase, ...]:
    """The cases with their likelihoods as last channel; those that are made already are not made again.

    Args:
        cases: With images in the order of ``channels``.
        channels: The plan's channels without the likelihood; the MTANN's are looked up by name.
        bundle: The MTANN.
        folder: Where the likelihoods are kept.
        device: Where to compute.
        run: Progress and cancellation.

    Raises:
        CasesError: The cases lack a channel that the MTANN needs.
        MTANNError: An image cannot be used.
        CancelledError: The user asked to stop.
    """
    run, found = run or Run(), []
    missing = [name for name in bundle.card.channel_names if name not in channels]
    if missing:
        raise CasesError(
            f"Model '{bundle.card.name}' needs the channel(s) {', '.join(missing)}, which the plan has not "
            f"({', '.join(channels)}). Call the columns of the case list as the model does, and plan again."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(cases):
        run.report("likelihood", number / len(cases), f"Likelihood of case {number + 1} of {len(cases)}")
        images = {name: case.channels[channels.index(name)] for name in bundle.card.channel_names}
        digest = hashlib.sha256("".join([bundle.sha256, *map(hash_image, images.values())]).encode()).hexdigest()
        path = folder / f"{digest[:32]}.nii.gz"
        if not path.is_file():
            result = detect({name: read_volume(image) for name, image in images.items()}, bundle, device=device)
            # The MTANN's first channel need not be the plan's: its likelihood is resampled in space like any channel.
            work = path.with_name(f".{os.getpid()}.{path.name}")
            write_volume(result.likelihood, work)
            work.replace(path)
        found.append(replace(case, channels=(*case.channels, path)))
    return tuple(found)


def likelihood_note(bundle: ModelBundle) -> str:
    """What a U-Net's card says of the MTANN whose likelihoods it learnt from."""
    return f"{_NOTE}'{bundle.card.name}' {bundle.sha256}."


def likelihood_warning(bundle: ModelBundle[ModelCard], unet: ModelBundle[UNetCard]) -> tuple[str, ...]:
    """What to say where a U-Net gets likelihoods of another MTANN than it learnt from."""
    if LIKELIHOOD_CHANNEL not in unet.card.channel_names or likelihood_note(bundle) in unet.card.notes:
        return ()
    return (
        f"Model '{unet.card.name}' learnt from the likelihoods of another MTANN than '{bundle.card.name}'. "
        "Use that one, or train the U-Net with this one's likelihoods.",
    )
