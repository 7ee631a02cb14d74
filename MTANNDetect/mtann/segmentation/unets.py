"""Segmenting one case with a U-Net model: the stages of a cascade in turn, configurations averaged, labels decided."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from mtann.backends.computation import Computation, choose_computation
from mtann.errors import MTANNError, SettingsError
from mtann.inference.labels import Block, label_type, labels_of, probabilities_of, regions_of
from mtann.models.bundle import ModelBundle
from mtann.models.unet_card import UNetCard
from mtann.pipeline import channels_in_order, input_references
from mtann.planning.plan import Plan
from mtann.preprocess.unet import CroppedCase, crop_case, labels_on_grid, unet_case, with_labels
from mtann.progress import Run
from mtann.sampling.lesions import Lesion
from mtann.segmentation.around import MARGIN_MM, as_indices, boxes_around
from mtann.segmentation.result import Segmentation, SegmentationSettings, SegmentedLabel
from mtann.segmentation.stage import Box, Stage
from mtann.segmentation.tidy import tidy
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
        settings.device, settings.backend, settings.precision, reduced=card.reduced_precision
    )
    channels = channels_in_order(volumes, card)
    case = crop_case(channels, card.plan, run.part(0.0, 0.02))
    boxes = None if around is None else boxes_around(around, channels[0].geometry)
    wanted = None if boxes is None else _cut_boxes(boxes, case)
    work = _Work(bundle, settings, computation, case, wanted)
    try:
        found = work.run(run.part(0.02, 0.98))
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise MTANNError(
            f"Memory ran out while segmenting on {computation.device}. Close other programs, use fewer folds, or "
            "compute on the CPU."
        ) from error
    result = _result(found, work, channels, around, run)
    return result if boxes is None else replace(result, boxes=as_indices(boxes))


@dataclass(frozen=True)
class _Found:
    """Arrays of the cropped case's full size, axes still transposed."""

    labels: LabelArray
    masks: npt.NDArray[np.bool_] | None
    probabilities: FloatArray | None
    patches: tuple[int, int]


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
            self._decide(whole, stage.blocks(part.part(0.1, 1.0)), None, probabilities=False)
            self.earlier[name] = self.case.uncut(whole.labels)
        last = run.part(len(before) * share, 1.0)
        stages = [self._stage(name, last.part(0.0, 0.1)) for name in card.configurations]
        found = _empty(self.case, self.plan, self.settings)
        # Configurations are run in step, so that no more than a block of each exists.
        steps = [stage.blocks(_part(last.part(0.1, 1.0), n, len(stages))) for n, stage in enumerate(stages)]
        average = len(stages) > 1 or self.settings.probabilities
        self._decide(found, _averaged(steps, card) if average else steps[0], self.wanted, average)
        ran, all_tiles = (sum(len(tiles) for tiles in one) for one in _tiles(stages))
        return replace(found, patches=(ran, all_tiles))

    def _stage(self, name: str, run: Run) -> Stage:
        configuration = self.plan.configuration(name)
        prepared = unet_case(self.case, configuration, run)
        if configuration.previous is not None:
            labels = labels_on_grid(self.case, self.earlier[configuration.previous], configuration, run)
            prepared = with_labels(prepared, labels, self.plan)
        return Stage(self.bundle, name, prepared, self.settings, self.computation, self.wanted)

    def _decide(self, found: _Found, parts: Iterator[Block], wanted: Sequence[Box] | None, probabilities: bool) -> None:
        labels = found.labels[self.case.box]
        every = (slice(None), *self.case.box)
        for whole in parts:
            for block in whole.parts_within(wanted):
                labels[block.box] = labels_of(block, self.plan, probabilities)
                if found.masks is not None:
                    found.masks[every][(slice(None), *block.box)] = regions_of(block, probabilities)
                if found.probabilities is not None:
                    found.probabilities[every][(slice(None), *block.box)] = block.values


def _checked(settings: SegmentationSettings, card: UNetCard) -> SegmentationSettings:
    """The settings with the folds that are meant."""
    if settings.threshold is not None:
        raise SettingsError("The model is a U-Net, which has no threshold. Leave the threshold out.")
    if unknown := [fold for fold in settings.folds if fold not in card.folds]:
        raise SettingsError(
            f"Model '{card.name}' has no fold {', '.join(unknown)}; it has: {', '.join(card.folds)}. "
            "Choose among these."
        )
    return settings.model_copy(update={"folds": settings.folds or card.folds})


def _cut_boxes(boxes: Sequence[Box], case: CroppedCase) -> list[Box]:
    """Boxes of the first channel's voxels as boxes of the cropped case."""
    found = []
    for box in boxes:
        turned = [box[axis] for axis in case.plan.transpose_forward]
        starts = [max(0, part.start - cut.start) for part, cut in zip(turned, case.box, strict=True)]
        stops = [min(cut.stop, part.stop) - cut.start for part, cut in zip(turned, case.box, strict=True)]
        if all(start < stop for start, stop in zip(starts, stops, strict=True)):
            found.append((slice(starts[0], stops[0]), slice(starts[1], stops[1]), slice(starts[2], stops[2])))
    return found


def _empty(case: CroppedCase, plan: Plan, settings: SegmentationSettings) -> _Found:
    labels = np.zeros(case.size, dtype=label_type(plan))
    masks = np.zeros((plan.outputs, *case.size), dtype=np.bool_) if plan.has_regions else None
    return _Found(labels, masks, _probability_file(case, plan) if settings.probabilities else None, (0, 0))


def _probability_file(case: CroppedCase, plan: Plan) -> FloatArray:
    """Probabilities of the whole case, background everywhere: in a file, since they may not fit into memory."""
    with tempfile.TemporaryFile(prefix="mtann-") as file:
        array = np.memmap(file, dtype=np.float32, mode="w+", shape=(plan.outputs, *case.size))
    if not plan.has_regions:
        array[0] = 1
    return array


def _averaged(steps: Sequence[Iterator[Block]], card: UNetCard) -> Iterator[Block]:
    temperature = 1.0 if card.calibration is None else card.calibration.temperature
    for parts in zip(*steps, strict=True):
        own = [probabilities_of(part, card.plan, temperature).values for part in parts]
        yield Block(parts[0].box, own[0] if len(own) == 1 else np.mean(own, axis=0, dtype=np.float32))


def _part(run: Run, number: int, count: int) -> Run:
    """The last of several runs in step tells how far all are."""
    return run if number == count - 1 else run.part(0.0, 0.0)


def _tiles(stages: Sequence[Stage]) -> tuple[list[list[tuple[int, int, int]]], list[list[tuple[int, int, int]]]]:
    return [stage.tiles for stage in stages], [stage.grid.tiles for stage in stages]


def _result(
    found: _Found, work: _Work, channels: Sequence[Volume], around: Sequence[Lesion] | None, run: Run
) -> Segmentation:
    card, case, first = work.bundle.card, work.case, channels[0]
    warnings = list(case.warnings)
    voxel_mm3 = first.geometry.voxel_volume_mm3
    values = label_sets(card.plan)
    if around is None:
        run.report("finish", 0.98, "Removing what post-processing removes")
        removed = tidy(found.labels, values, card.post_processing, voxel_mm3)
        if removed is not None and found.masks is not None:
            found.masks[:, removed] = False
    else:
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
