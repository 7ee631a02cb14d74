"""Teaching a model to turn an image into another: prepare, sample, train all levels at once, measure out of fold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtann.backends.device import choose_device
from mtann.enhancement.fitting import EnhancementPlan, fit_levels
from mtann.enhancement.inputs import enhancement_inputs
from mtann.enhancement.meaning import output_scale
from mtann.enhancement.measuring import measure_quality
from mtann.enhancement.pairs import EnhancementCase, prepare_pairs
from mtann.models.bundle import BUNDLE_FOLDER, ModelBundle, make_bundle, save_bundle
from mtann.models.card import TrainingImage
from mtann.models.enhancement_card import EnhancementCard
from mtann.models.provenance import hash_volume, software_versions
from mtann.output_folder import check_output
from mtann.preprocess.choose import Preprocessing
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.sampling.folds import patient_folds
from mtann.settings import ENHANCEMENT_NETWORK, Device, EnhancementSettings, NetworkSettings, make_settings


def train_enhancement(
    cases: Sequence[EnhancementCase],
    settings: EnhancementSettings | None = None,
    *,
    name: str = "my-model",
    target_name: str = "target",
    channels: Sequence[str] = (),
    network: NetworkSettings = ENHANCEMENT_NETWORK,
    spacing_mm: float | None = None,
    preprocessing: Mapping[str, Preprocessing] | None = None,
    card: dict[str, Any] | None = None,
    output: Path | str | None = None,
    device: Device = "auto",
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> ModelBundle[EnhancementCard]:
    """Teach MTANNs, one a resolution level, to turn the cases' first channel into their target image.

    Suzuki et al., IEEE Trans Med Imaging 25:406 (2006). Networks for use and for every fold, by patient, are trained
    at once; the quality of the folds' images is written into the model's card. With one patient or ``folds`` below 2 it
    is measured on the training cases, and the card says that this flatters.

    Args:
        cases: What to learn from.
        settings: How to train; the default settings if None.
        name: Name of the model.
        target_name: What the targets show, such as "bone".
        channels: Channel names, in the order of each case's images; "channel 1" and so on if empty.
        network: Subvolume and hidden layers of each level's network.
        spacing_mm: Spacing of the model's grid in mm; the median in-plane spacing of the images if None.
        preprocessing: What is done to channels' intensities, by channel name; by the images where nothing is said.
        card: More fields of ``model.json``, such as ``licence`` or ``intended_use``.
        output: Folder to save the bundle to.
        device: Where to compute.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Raises:
        MTANNError: Something about the cases, the settings or the output must be mended; the message says what.
        CancelledError: ``cancelled`` answered True.
    """
    run = Run(progress, cancelled)
    settings = settings or EnhancementSettings()
    if output is not None:
        check_output(Path(output), BUNDLE_FOLDER)
    inputs = enhancement_inputs(cases, channels, network.dimensions, spacing_mm, preprocessing or {})
    plan = EnhancementPlan(inputs, network, settings, choose_device(device))
    # Made before the work and completed after it, so that a wrong name does not cost a training.
    draft = _describe(cases, plan, name=name, target_name=target_name, **(card or {}))
    pairs = prepare_pairs(cases, inputs, run.part(0.0, 0.2))
    scale = output_scale(pairs, settings)
    folds = patient_folds([case.patient for case in cases], settings.folds, settings.seed)
    networks = fit_levels(pairs, scale, folds, plan, run.part(0.2, 0.8))
    quality = measure_quality(networks, pairs, scale, folds, plan, run.part(0.8, 1.0))
    done = draft.model_copy(update={"output": scale, "quality": quality})
    bundle = make_bundle(done, networks[-1:])
    if output is not None:
        save_bundle(bundle, output)
    run.report("done", 1.0, f"Model '{name}' is ready")
    return bundle


def _describe(cases: Sequence[EnhancementCase], plan: EnhancementPlan, /, **fields: Any) -> EnhancementCard:
    """The model's card, as far as it is known before training."""
    names = [channel.name for channel in plan.inputs.channels]
    files = [
        (role, volume)
        for case in cases
        for role, volume in [*zip(names, case.channels, strict=True), ("target", case.target), ("mask", case.mask)]
        if volume is not None
    ]
    return make_settings(
        EnhancementCard,
        inputs=plan.inputs,
        network=plan.network,
        training=plan.training,
        single_slices=all(1 in case.channels[0].array.shape for case in cases),
        training_cases=len(cases),
        training_patients=len({case.patient for case in cases}),
        training_data=tuple(TrainingImage(role=role, sha256=hash_volume(volume)) for role, volume in files),
        seed=plan.training.seed,
        software=software_versions(),
        **fields,
    )
