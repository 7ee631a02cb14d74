"""Segmenting one case with a U-Net model: the stages of a cascade in turn, configurations averaged, labels decided."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from mtann.backends.computation import Computation, choose_computation
from mtann.errors import MTANNError, SettingsError
from mtann.inference.labels import Block, label_type, labels_of, probabilities_of, regions_of
from mtann.models.bundle import ModelBundle
from mtann.models.precision_checks import permission_of
from mtann.models.unet_card import UNetCard
from mtann.pipeline import channels_in_order, input_references
from mtann.planning.plan import Plan
from mtann.preprocess.unet import CroppedCase, crop_case, labels_on_grid, unet_case, with_labels
from mtann.progress import Run
from mtann.sampling.lesions import Lesion
from mtann.segmentation.around import MARGIN_MM, as_indices, boxes_around, cut_boxes
from mtann.segmentation.large import large_array
from mtann.segmentation.result import Segmentation, SegmentationSettings, SegmentationUncertainty, SegmentedLabel
from mtann.segmentation.stage import Box, Stage
from mtann.segmentation.tidy import tidy
from mtann.segmentation.uncertainty import Labelled, measure_disagreement
from mtann.segmentation.unlike import unlike_plan
from mtann.volume import Volume

LabelArray = npt.NDArray[np.unsignedinteger]
FloatArray = npt.NDArray[np.float32]


def segment_with_unets(
    volumes: Volume | Sequence[Volume] | Mapping[str, Volume],
    bundle: ModelBundle[UNetCard],
    settings: SegmentationSettings,
    around: Sequence[Lesion] | None,
    run: Run,
) -> Segmentation:
    """Labels of one case.

    Raises:
        MTANNError: Something about the input or a setting must be mended; the message says what.
        CancelledError: The user asked to stop; noticed once the running patch is done.
    """
    import torch

    card = bundle.card
    settings = _checked(settings, card)
    computation = choose_computation(
        settings.device, settings.backend, settings.precision, reduced=permission_of(card, bundle.sha256)
    )
    channels = channels_in_order(volumes, card)
    case = crop_case(channels, card.plan, run.part(0.0, 0.02))
    boxes = None if around is None else boxes_around(around, channels[0].geometry)
    wanted = None if boxes is None else cut_boxes(boxes, case)
    work = _Work(bundle, settings, computation, case, wanted)
    share = 0.5 if settings.uncertainty else 1.0
    try:
        found = work.run(run.part(0.02, 0.98 * share))
        _tidy(found, work, around, run)
        unsure = work.disagreement(found, channels[0], run.part(0.5, 0.98)) if settings.uncertainty else None
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise MTANNError(
            f"Memory ran out while segmenting on {computation.device}. Close other programs, use fewer folds, or "
            "compute on the CPU."
        ) from error
    result = _result(found, work, channels, around, run)
    if around is None or boxes is None:
        return replace(result, uncertainty=unsure)
    outside = len(around) - len(boxes)
    told = f"{outside} of the {len(around)} given place(s) lie outside of the image and were left out."
    warnings = (*result.warnings, *([told] if outside else []))
    return replace(result, uncertainty=unsure, boxes=as_indices(boxes), warnings=warnings)


@dataclass(frozen=True)
class _Found:
    """Arrays of the cropped case's full size, axes still transposed."""

    labels: LabelArray
    masks: npt.NDArray[np.bool_] | None
    probabilities: FloatArray | None
    patches: tuple[int, int]
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True)
class _Work:
    """One case and how it is to be segmented."""

    bundle: ModelBundle[UNetCard]
    settings: SegmentationSettings
    computation: Computation
    case: CroppedCase
    wanted: Sequence[Box] | None
    earlier: dict[str, npt.NDArray[np.generic]] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        return self.bundle.card.plan

    def run(self, run: Run) -> _Found:
        """All stages; those before the last ones over the whole case, since their labels are looked at from afar."""
        card = self.bundle.card
        before = [name for name in card.stages if name not in card.configurations]
        share = 1 / (len(before) + 1)
        for number, name in enumerate(before):
            part = run.part(number * share, (number + 1) * share)
            stage = replace(self._stage(name, part.part(0.0, 0.1)), wanted=None)
            whole = _empty(self.case, self.plan, self.settings.model_copy(update={"probabilities": False}))
            self._decide(whole, _answers([stage.blocks(part.part(0.1, 1.0))], card, False), None, probabilities=False)
            self.earlier[name] = self.case.uncut(whole.labels)
        last = run.part(len(before) * share, 1.0)
        stages = [self._stage(name, last.part(0.0, 0.1)) for name in card.configurations]
        found = _empty(self.case, self.plan, self.settings)
        # Configurations are run in step, so that no more than a block of each exists.
        steps = [stage.blocks(_part(last.part(0.1, 1.0), n, len(stages))) for n, stage in enumerate(stages)]
        answers = _answers(steps, card, self.settings.probabilities)
        self._decide(found, answers, self.wanted, probabilities=len(stages) > 1)
        ran, all_tiles = (sum(len(tiles) for tiles in one) for one in _tiles(stages))
        return replace(found, patches=(ran, all_tiles), stages=tuple(stages))

    def _stage(self, name: str, run: Run) -> Stage:
        configuration = self.plan.configuration(name)
        prepared = unet_case(self.case, configuration, run)
        if configuration.previous is not None:
            labels = labels_on_grid(self.case, self.earlier[configuration.previous], configuration, run)
            prepared = with_labels(prepared, labels, self.plan)
        return Stage(self.bundle, name, prepared, self.settings, self.computation, self.wanted)

    def _decide(
        self,
        found: _Found,
        answers: Iterator[tuple[Block, Block | None]],
        wanted: Sequence[Box] | None,
        probabilities: bool,
    ) -> None:
        labels = found.labels[self.case.box]
        every = (slice(None), *self.case.box)
        for decided, told in answers:
            for block in decided.parts_within(wanted):
                labels[block.box] = labels_of(block, self.plan, probabilities)
                if found.masks is not None:
                    found.masks[every][(slice(None), *block.box)] = regions_of(block, probabilities)
            if found.probabilities is not None and told is not None:
                for block in told.parts_within(wanted):
                    found.probabilities[every][(slice(None), *block.box)] = block.values

    def disagreement(self, found: _Found, first: Volume, run: Run) -> SegmentationUncertainty:
        """How far networks and mirrored patches disagree about what was found."""
        box = self.case.box
        masks = None if found.masks is None else found.masks[(slice(None), *box)]
        own = Labelled(found.labels[box], masks, self.plan)
        return measure_disagreement(found.stages, self.case, own, first, _temperature(self.bundle.card), run)


def _checked(settings: SegmentationSettings, card: UNetCard) -> SegmentationSettings:
    """The settings with the folds that are meant."""
    if settings.threshold is not None:
        raise SettingsError("The model is a U-Net, which has no threshold. Leave the threshold out.")
    if unknown := [fold for fold in settings.folds if fold not in card.folds]:
        raise SettingsError(
            f"Model '{card.name}' has no fold {', '.join(unknown)}; it has: {', '.join(card.folds)}. "
            "Choose among these."
        )
    folds = settings.folds or card.folds
    mirrored = settings.mirroring and any(card.mirror_axes[name] for name in card.configurations)
    if settings.uncertainty and not mirrored and len(folds) * len(card.configurations) < 2:
        raise SettingsError(
            "Uncertainty is how far networks, or mirrored patches, disagree; here is one network and nothing mirrored. "
            "Use more folds, or a model that may mirror."
        )
    return settings.model_copy(update={"folds": folds})


def _empty(case: CroppedCase, plan: Plan, settings: SegmentationSettings) -> _Found:
    labels = np.zeros(case.size, dtype=label_type(plan))
    masks = np.zeros((plan.outputs, *case.size), dtype=np.bool_) if plan.has_regions else None
    return _Found(labels, masks, _probability_file(case, plan) if settings.probabilities else None, (0, 0))


def _probability_file(case: CroppedCase, plan: Plan) -> FloatArray:
    """Probabilities of the whole case, background everywhere: in a file, since they may not fit into memory."""
    array = large_array((plan.outputs, *case.size))
    if not plan.has_regions:
        array[0] = 1
    return array


def _answers(steps: Sequence[Iterator[Block]], card: UNetCard, told: bool) -> Iterator[tuple[Block, Block | None]]:
    """What labels are decided by, and probabilities to be told, which a temperature may have calibrated.

    Of one configuration logits decide; of several, the mean of their probabilities, as it was measured.
    """
    for parts in zip(*steps, strict=True):
        decided = parts[0] if len(parts) == 1 else _mean(parts, card.plan, 1.0)
        yield decided, _mean(parts, card.plan, _temperature(card)) if told else None


def _mean(parts: Sequence[Block], plan: Plan, temperature: float) -> Block:
    own = [probabilities_of(part, plan, temperature).values for part in parts]
    return Block(parts[0].box, own[0] if len(own) == 1 else np.mean(own, axis=0, dtype=np.float32))


def _temperature(card: UNetCard) -> float:
    return 1.0 if card.calibration is None else card.calibration.temperature


def _part(run: Run, number: int, count: int) -> Run:
    """The last of several runs in step tells how far all are."""
    return run if number == count - 1 else run.part(0.0, 0.0)


def _tiles(stages: Sequence[Stage]) -> tuple[list[list[tuple[int, int, int]]], list[list[tuple[int, int, int]]]]:
    return [stage.tiles for stage in stages], [stage.grid.tiles for stage in stages]


def _tidy(found: _Found, work: _Work, around: Sequence[Lesion] | None, run: Run) -> None:
    """Remove what post-processing removes; it looks at whole components, which an excerpt does not show."""
    if around is not None:
        return
    run.report("finish", 0.98 if not work.settings.uncertainty else 0.5, "Removing what post-processing removes")
    rules, voxel_mm3 = work.bundle.card.post_processing, float(np.prod(work.case.spacing))
    removed = tidy(found.labels, label_sets(work.plan), rules, voxel_mm3)
    if removed is not None and found.masks is not None:
        found.masks[:, removed] = False


def _result(
    found: _Found, work: _Work, channels: Sequence[Volume], around: Sequence[Lesion] | None, run: Run
) -> Segmentation:
    card, case, first = work.bundle.card, work.case, channels[0]
    warnings = [*case.warnings, *unlike_plan(case, found.labels[case.box], card)]
    voxel_mm3 = first.geometry.voxel_volume_mm3
    values = label_sets(card.plan)
    if around is not None:
        warnings.append(
            f"Only the surroundings of {len(around)} given place(s) were segmented, each box with {MARGIN_MM:g} mm "
            "about it; everywhere else the segmentation is empty because nobody looked there."
            + (" The model's post-processing was left out." if card.post_processing else "")
        )
    label_map = first.with_array(np.ascontiguousarray(case.uncut(found.labels)), f"{first.name} segmentation")
    counts = _counts(found.labels)
    labels = []
    for number, (name, own) in enumerate(values.items()):
        mask = None
        if found.masks is not None:
            inside = np.ascontiguousarray(case.uncut(found.masks[number])).view(np.uint8)
            mask = first.with_array(inside, f"{first.name} {name}")
        count = counts[list(own)].sum() if found.masks is None else np.count_nonzero(found.masks[number])
        labels.append(SegmentedLabel(name, own, float(count * voxel_mm3), mask))
    names = list(values) if card.plan.has_regions else ["background", *values]
    run.report("done", 1.0, "The segmentation is ready")
    return Segmentation(
        label_map=label_map,
        labels=tuple(labels),
        model=work.bundle.reference,
        inputs=input_references(channels, card, None),
        settings=work.settings,
        origin=_origin(card, work.settings),
        computation=work.computation.words,
        patches=found.patches,
        probabilities=()
        if found.probabilities is None
        else tuple(
            first.with_array(case.uncut(own), f"{first.name} probability of {name}")
            for name, own in zip(names, found.probabilities, strict=True)
        ),
        warnings=tuple(warnings),
    )


def _counts(labels: LabelArray) -> npt.NDArray[np.int64]:
    """Voxels of each value. Row by row: counting widens every voxel to eight bytes."""
    total = np.zeros(np.iinfo(labels.dtype).max + 1, dtype=np.int64)
    for row in labels:
        own = np.bincount(row.ravel())
        total[: len(own)] += own
    return total


def label_sets(plan: Plan) -> dict[str, tuple[int, ...]]:
    """The values of a label map that belong to each label or region."""
    if not plan.has_regions:
        return {name: (values[0],) for name, values in plan.labels.items()}
    return dict(plan.labels)


def _origin(card: UNetCard, settings: SegmentationSettings) -> str:
    how = "the most probable label" if not card.plan.has_regions else "every region of probability above one half"
    folds = f"fold(s) {', '.join(settings.folds)}"
    mirrored = "mirrored patches averaged" if settings.mirroring else "no mirroring"
    return f"{how}; {' and '.join(card.configurations)}, {folds}, {mirrored}"
