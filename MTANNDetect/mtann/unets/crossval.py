"""Cross-validation: trains the folds, and picks configuration, ensemble and post-processing by their held-out cases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from mtann.data_set import LabelledCase
from mtann.detection.calibration import TemperatureCalibration
from mtann.inference.labels import Block, label_type, labels_of
from mtann.models.unet_card import PostProcessing
from mtann.planning.plan import Plan
from mtann.preprocess.unet import crop_case
from mtann.progress import Run
from mtann.segmentation.tidy import tidy
from mtann.segmentation.unets import label_sets
from mtann.training.unet.processes import current
from mtann.unets.calibrate import calibrate, read_sample, sample_file
from mtann.unets.components import choose_rule, find_components
from mtann.unets.fold import VALIDATION_FOLDER, Training, train_fold
from mtann.unets.model import Outcome
from mtann.unets.prepared import read_case
from mtann.unets.scores import Agreements, annotated, compare, mean_dice, overall
from mtann.unets.validate import label_file, read_probabilities, uncropped
from mtann.volume_io import read_volume, write_volume

_LEAST_GAIN = 0.001
"""Rise of the mean Dice below which a second configuration is not worth its time."""

Told = Callable[[str], None]


@dataclass(frozen=True)
class Candidate:
    """One configuration, or two whose probabilities are averaged.

    Attributes:
        configurations: Their names.
        maps: The label map of each case, by networks that had not seen it.
        cases: How each agrees with the reference.
    """

    configurations: tuple[str, ...]
    maps: dict[str, Path]
    cases: dict[str, Agreements]

    @property
    def dice(self) -> float:
        """Mean Dice over labels."""
        return overall(mean_dice(list(self.cases.values())))

    @property
    def words(self) -> str:
        """What it is, and how well it does."""
        each = ", ".join(f"{label} {dice:.3f}" for label, dice in mean_dice(list(self.cases.values())).items())
        return f"{' with '.join(self.configurations)}: mean Dice {self.dice:.3f} ({each})"


def cross_validate(training: Training, names: Sequence[str], told: Told, run: Run | None = None) -> Outcome | None:
    """Train every fold of some configurations, and decide what becomes the model.

    Args:
        training: Plan, cases, settings and place.
        names: Configurations; all that are planned if empty.
        told: Called with each decision and the reason for it.
        run: Progress and cancellation.

    Returns:
        What makes the model; None in the processes beside the first.

    Raises:
        MTANNError: Something about the cases, the plan or a setting must be mended; the message says what.
        CancelledError: The user asked to stop; the same call goes on from the last epoch.
    """
    run = run or Run()
    chosen = tuple(names) or tuple(one.name for one in training.plan.configurations)
    stages = in_order(training.plan, chosen)
    training = replace(training, keep_probabilities=len(chosen) > 1)
    folds = [str(fold) for fold in range(training.settings.folds)]
    steps = [(stage, fold) for stage in stages for fold in folds]
    cases: dict[str, dict[str, Agreements]] = {stage: {} for stage in stages}
    for number, (stage, fold) in enumerate(steps):
        part = run.part(0.95 * number / len(steps), 0.95 * (number + 1) / len(steps))
        cases[stage] |= train_fold(training, stage, fold, part).cases
    if not current().is_first:
        return None
    singles = [Candidate((stage,), _maps(training, stage, folds), cases[stage]) for stage in stages if stage in chosen]
    best = _pick(training, singles, told, run.part(0.95, 0.98))
    rules = _post_processing(training, best, told)
    final = _with_rules(training, best, rules, run.part(0.98, 1.0)) if rules else best.cases
    if rules and overall(mean_dice(list(final.values()))) < best.dice:
        # Each rule helps its own label, but one of a region takes voxels from the regions about it.
        told("No post-processing: all rules together lower the mean Dice.")
        rules, final = (), best.cases
    measured_on, notes = _measured_on(training, rules), _notes(training)
    calibration = _calibration(training, best, folds, told)
    return Outcome(best.configurations, tuple(folds), final, measured_on, rules, notes, calibration)


def in_order(plan: Plan, names: Sequence[str]) -> tuple[str, ...]:
    """Configurations to train, each behind the one that it goes on from.

    Raises:
        ModelError: The plan has no such configuration.
    """
    stages: list[str] = []
    for name in names:
        chain = [name]
        while (before := plan.configuration(chain[0]).previous) is not None and before not in chain:
            chain.insert(0, before)
        stages += [one for one in chain if one not in stages]
    return tuple(stages)


def _maps(training: Training, stage: str, folds: Sequence[str]) -> dict[str, Path]:
    return {
        case.case: label_file(training.folder(stage, fold) / VALIDATION_FOLDER, case)
        for fold in folds
        for case in training.split(fold).held_out
    }


def _pick(training: Training, singles: Sequence[Candidate], told: Told, run: Run) -> Candidate:
    """The best configuration, or the best pair where that is clearly better."""
    for candidate in singles:
        told(candidate.words)
    best = max(singles, key=lambda candidate: candidate.dice)
    if len(singles) == 1:
        told(f"Chosen: {best.configurations[0]}, the only configuration that was trained.")
        return best
    pairs = [_ensemble(training, a, b, run) for a, b in combinations(singles, 2)]
    for pair in pairs:
        told(pair.words)
    paired = max(pairs, key=lambda candidate: candidate.dice)
    if paired.dice >= best.dice + _LEAST_GAIN:
        gain = paired.dice - best.dice
        told(f"Chosen: {' with '.join(paired.configurations)}; {gain:.3f} better than the best configuration alone.")
        return paired
    told(f"Chosen: {best.configurations[0]}; no pair is better by {_LEAST_GAIN} or more.")
    return best


def _ensemble(training: Training, first: Candidate, second: Candidate, run: Run) -> Candidate:
    """Two configurations, their probabilities averaged in each case."""
    names = (*first.configurations, *second.configurations)
    directory = training.output / "ensembles" / "+".join(names)
    directory.mkdir(parents=True, exist_ok=True)
    maps, cases = {}, {}
    for number, case in enumerate(training.cases):
        run.report("ensemble", number / len(training.cases), f"Averaging {' and '.join(names)}")
        volumes, labels = read_case(case)
        cropped = crop_case(volumes, training.plan)
        total = np.zeros((training.plan.outputs, *cropped.cropped_size), dtype=np.float32)
        for candidate in (first, second):
            total += read_probabilities(candidate.maps[case.case].parent, case)
        whole = tuple(slice(0, n) for n in cropped.cropped_size)
        total /= 2
        block = Block((whole[0], whole[1], whole[2]), total)
        found = uncropped(labels_of(block, training.plan, probabilities=True), cropped)
        maps[case.case] = label_file(directory, case)
        write_volume(volumes[0].with_array(found.astype(label_type(training.plan)), case.case), maps[case.case])
        cases[case.case] = compare(found, labels.array, training.plan)
    return Candidate(names, maps, cases)


def _post_processing(training: Training, best: Candidate, told: Told) -> tuple[PostProcessing, ...]:
    rules = []
    for label, values in training.plan.labels.items():
        components = []
        for case in training.cases:
            found, true = read_volume(best.maps[case.case]), read_volume(case.labels)
            known = annotated(true.array, training.plan)
            inside = [np.isin(array, values) & known for array in (found.array, true.array)]
            components.append(find_components(inside[0], inside[1], found.geometry.voxel_volume_mm3))
        rule, words = choose_rule(label, components)
        told(f"Post-processing of {words}.")
        rules += [rule] if rule else []
    return tuple(rules)


def _calibration(
    training: Training, best: Candidate, folds: Sequence[str], told: Told
) -> TemperatureCalibration | None:
    """The temperature of the chosen configurations, by what each fold's network says of cases that it had not seen."""
    samples = []
    for fold in folds:
        for case in training.split(fold).held_out:
            directories = [training.folder(name, fold) / VALIDATION_FOLDER for name in best.configurations]
            drawn = [read_sample(sample_file(directory, case)) for directory in directories]
            samples.append((np.stack([logits for logits, _ in drawn]), drawn[0][1]))
    chosen_on = f"{training.settings.folds}-fold cross-validation by patient, voxels unseen by their network"
    found, words = calibrate(training.plan, samples, chosen_on)
    told(f"{words}.")
    return found


def _with_rules(
    training: Training, best: Candidate, rules: Sequence[PostProcessing], run: Run
) -> Mapping[str, Agreements]:
    """How the label maps agree once the rules are applied to them."""
    cases = {}
    for number, case in enumerate(training.cases):
        run.report("post-processing", number / len(training.cases), "Measuring with post-processing")
        cases[case.case] = _tidied(training, best, rules, case)
    return cases


def _tidied(training: Training, best: Candidate, rules: Sequence[PostProcessing], case: LabelledCase) -> Agreements:
    found, true = read_volume(best.maps[case.case]), read_volume(case.labels)
    labels = np.array(found.array)
    tidy(labels, label_sets(training.plan), rules, found.geometry.voxel_volume_mm3)
    return compare(labels, true.array, training.plan)


def _measured_on(training: Training, rules: Sequence[PostProcessing]) -> str:
    words = f"{training.settings.folds}-fold cross-validation by patient, cases unseen by their network"
    return f"{words}; post-processing was chosen on them" if rules else words


def _notes(training: Training) -> tuple[str, ...]:
    settings = training.settings
    return (f"Trained for {settings.epochs} epochs of {settings.iterations} batches a fold.",)
