"""Training one fold of one configuration, and trying it on the cases that it has not seen."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mtann.data_set import LabelledCase
from mtann.errors import CasesError
from mtann.models.provenance import software_versions
from mtann.planning.plan import Configuration, Plan
from mtann.preprocess.unet import label_values
from mtann.progress import Run
from mtann.training.unet.checkpoint import CHECKPOINT_FILE
from mtann.training.unet.lesson import Lesson
from mtann.training.unet.loop import fit_unet
from mtann.training.unet.memory import memory_told
from mtann.training.unet.processes import current
from mtann.training.unet.settings import UNetTrainingSettings
from mtann.training.unet.store import StoredCase
from mtann.unets.files import write_json
from mtann.unets.prepared import prepare_cases
from mtann.unets.splits import ALL, Split, read_splits, split_of
from mtann.unets.validate import Validation, Validator, label_file

if TYPE_CHECKING:
    import torch
    from torch import nn

SETTINGS_FILE, VALIDATION_FOLDER = "settings.json", "validation"


@dataclass(frozen=True)
class Training:
    """A plan, its cases, and where and how its networks are trained.

    Attributes:
        plan: What was decided about the data set.
        cases: What to learn from.
        settings: How to train.
        output: Folder of all folds of all configurations.
        device: Where to compute.
        keep_probabilities: Whether probabilities of held-out cases are kept, for ensembles of configurations.
        notes: What a user of the model should know about its training data.
    """

    plan: Plan
    cases: tuple[LabelledCase, ...]
    settings: UNetTrainingSettings
    output: Path
    device: "torch.device"
    keep_probabilities: bool = False
    notes: tuple[str, ...] = ()

    def folder(self, configuration: str, fold: str) -> Path:
        """Where a fold is trained."""
        return self.output / configuration / f"fold_{fold}"

    def split(self, fold: str) -> Split:
        """What a fold learns from, and what it is judged by.

        Raises:
            CasesError: There are too few patients for the folds, or the split kept in the output is another one.
        """
        if fold == ALL:
            return split_of(self.cases, (), ALL)
        return split_of(self.cases, read_splits(self.output, self.cases, self.settings.folds, self.settings.seed), fold)


def train_fold(training: Training, name: str, fold: str, run: Run | None = None) -> Validation:
    """Train a fold, or go on with it, and try it on its held-out cases. What is done already is not done again.

    Args:
        training: Plan, cases, settings and place.
        name: Configuration.
        fold: Number of the fold, or ``all``, which is tried on its own training cases.
        run: Progress and cancellation.

    Raises:
        MTANNError: Something about the cases, the plan or a setting must be mended; the message says what.
        CancelledError: The user asked to stop; the same call goes on from the last epoch.
    """
    run, processes = run or Run(), current()
    configuration = training.plan.configuration(name)
    if processes.is_first:
        training.output.mkdir(parents=True, exist_ok=True)
        _prepare_all(training, configuration, fold, run.part(0.0, 0.1))
    processes.wait()  # the others find everything prepared
    lesson = _prepare_all(training, configuration, fold, Run())
    directory = training.folder(name, fold)
    directory.mkdir(parents=True, exist_ok=True)
    if processes.is_first and not (directory / CHECKPOINT_FILE).is_file():  # else the checkpoint's own stay
        how = {"settings": training.settings.model_dump(mode="json"), "software": software_versions()}
        write_json(directory / SETTINGS_FILE, {"schema_version": 1, "configuration": name, "fold": fold, **how})
    network = make_network(training.plan, configuration, training.settings.seed)
    fit_unet(network, lesson, training.settings, directory, device=training.device, run=run.part(0.1, 0.9))
    if not processes.is_first:
        return Validation(directory / VALIDATION_FOLDER, {})
    validator = Validator(
        network,
        training.plan,
        configuration,
        training.settings.mirror,
        training.device,
        previous_maps(training, configuration),
        training.keep_probabilities,
    )
    with memory_told(configuration, training.settings, training.device):
        held_out = training.split(fold).held_out
        return validator.validate(held_out, directory / VALIDATION_FOLDER, hash_network(network), run.part(0.9, 1.0))


def make_network(plan: Plan, configuration: Configuration, seed: int) -> "nn.Module":
    """A new network of a configuration; the same weights for the same seed."""
    import torch

    from mtann.networks.registry import build_network

    further = len(label_values(plan)) if configuration.previous is not None else 0
    torch.manual_seed(seed)
    return build_network(
        configuration.architecture,
        len(plan.channels) + further,
        plan.outputs,
        configuration.patch_size,
        deep_supervision=True,
    )


def hash_network(network: "nn.Module") -> str:
    """Tells a network's weights from others."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def previous_maps(training: Training, configuration: Configuration) -> dict[str, Path] | None:
    """Of a cascade, the label map of each case that the previous stage found without having learnt from the case.

    Raises:
        CasesError: Some fold of the previous stage was not trained yet.
    """
    if configuration.previous is None:
        return None
    maps: dict[str, Path] = {}
    for fold in range(training.settings.folds):
        directory = training.folder(configuration.previous, str(fold)) / VALIDATION_FOLDER
        maps |= {case.case: label_file(directory, case) for case in training.split(str(fold)).held_out}
    missing = [case for case, path in maps.items() if not path.is_file()]
    if missing:
        raise CasesError(
            f"'{configuration.name}' goes on from what '{configuration.previous}' found in cases that it had not seen, "
            f"but that is missing for {len(missing)} of {len(maps)} cases. Train all {training.settings.folds} folds "
            f"of '{configuration.previous}' first, with the same --output."
        )
    return maps


def _prepare_all(training: Training, configuration: Configuration, fold: str, run: Run) -> Lesson:
    """Preprocess all cases that a fold needs."""
    split = training.split(fold)
    previous = previous_maps(training, configuration)
    store = training.output / "preprocessed"

    def prepared(cases: Sequence[LabelledCase], run: Run) -> list[StoredCase]:
        return prepare_cases(cases, training.plan, configuration, store, previous, run)

    learnt = prepared(split.training, run.part(0.0, 0.8))
    held_out = learnt if fold == ALL else prepared(split.held_out, run.part(0.8, 1.0))
    return Lesson(training.plan, configuration, learnt, held_out)
