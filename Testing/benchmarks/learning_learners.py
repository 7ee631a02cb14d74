"""What learns to find lesions from few of them: an MTANN of any preset, and a U-Net planned for the cases.

All answer with scored places, found by the library's own finder of candidates at scales that suit the lesions given.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from learning_data import SPACING_MM, Task

from mtann.cases import TrainingCase
from mtann.detection.find import find_candidates
from mtann.detection.peaks import scales_for
from mtann.geometry import Triple
from mtann.models.unet_bundle import make_unet_bundle
from mtann.models.unet_card import UNetCard
from mtann.pipeline import detect
from mtann.planning.fingerprint import combine, measure_case
from mtann.planning.labels import Labels
from mtann.planning.plan import Plan
from mtann.planning.planner import make_plan
from mtann.preprocess.grid import resample_mask
from mtann.preprocess.unet import crop_case, labels_on_grid, unet_case
from mtann.segmentation.result import SegmentationSettings
from mtann.segmentation.segment import segment
from mtann.settings import DetectionSettings, TrainingSettings, preset
from mtann.teach import train
from mtann.training.unet.labels import LabelTable
from mtann.training.unet.lesson import Lesson
from mtann.training.unet.loop import fit_unet
from mtann.training.unet.settings import UNetTrainingSettings
from mtann.training.unet.store import store_case
from mtann.unets.fold import make_network

Detector = Callable[[TrainingCase], Sequence[tuple[Triple, float]]]
"""Places (LPS, mm) with scores, found in a case's images."""
Learner = Callable[[Task, int], Detector]
"""Learns from a task's training cases, with a seed."""

CONFIGURATION, FOLD = "3d_fullres", "all"
MEMORY_GB = 0.3
"""What the U-Net is planned for: nnU-Net's rules then choose patches of about 40x56x40 voxels and four stages."""
FEWER_FEATURES = 4
"""Feature maps of the plan are divided by this: 8 to 64 in place of 32 to 256."""
EPOCHS, ITERATIONS = 8, 25
"""nnU-Net takes 1000 epochs of 250 batches."""
LESION, IGNORED = 1, 2


def mtann(name: str) -> Learner:
    """An MTANN of a preset, with the default's optimiser, steps, augmentation and mining."""

    def learn(task: Task, seed: int) -> Detector:
        network, training = preset(name)
        more = TrainingSettings()
        update = {"seed": seed, "folds": 0, "mining_rounds": more.mining_rounds, "augment": more.augment}
        bundle = train(
            task.training,
            channels=task.channels,
            network=network,
            training=training.model_copy(update=update),
            spacing_mm=SPACING_MM,
            device="cpu",
        )

        def find(case: TrainingCase) -> Sequence[tuple[Triple, float]]:
            found = detect(case.channels, bundle, threshold=0.0, device="cpu").candidates
            return [(one.centroid_lps_mm, one.score) for one in found]

        return find

    return learn


def unet(task: Task, seed: int) -> Detector:
    """A U-Net planned for the training cases, with fewer features and steps than nnU-Net's: a processor's share."""
    plan = cut_down(planned(task))
    configuration = plan.configuration(CONFIGURATION)
    settings = UNetTrainingSettings(
        epochs=EPOCHS, iterations=ITERATIONS, validation_iterations=1, folds=2, workers=0, seed=seed
    )
    table = LabelTable.of(plan)
    network = make_network(plan, configuration, seed)
    with tempfile.TemporaryDirectory() as folder:
        stored = []
        for case in task.training:
            cropped = crop_case(case.channels, plan)
            index = table.index(labels_on_grid(cropped, target(case), configuration), case.case)
            image = unet_case(cropped, configuration).data
            stored.append(store_case(Path(folder) / case.case, case.case, image, index, table))
        fit_unet(
            network,
            Lesson(plan, configuration, stored, stored),
            settings,
            Path(folder),
            device=torch.device("cpu"),
        )
    card = UNetCard(
        name="u-net",
        plan=plan,
        configurations=(CONFIGURATION,),
        folds=(FOLD,),
        mirror_axes={one.name: () for one in plan.configurations},
        training_data=(),
        software={},
    )
    bundle = make_unet_bundle(card, {(CONFIGURATION, FOLD): network.state_dict()})
    radii = [lesion.radius_mm or 0.0 for case in task.training for lesion in case.lesions]
    detection = DetectionSettings(scales_mm=scales_for(radii, SPACING_MM))
    how = SegmentationSettings(
        mirroring=False, overlap=0.25, probabilities=True, device="cpu", backend="torch", precision="fp32"
    )

    def find(case: TrainingCase) -> Sequence[tuple[Triple, float]]:
        image = case.channels[0]
        chance = segment(case.channels, bundle, how).probabilities[-1].array.astype(np.float32)
        brain = np.asarray(image.array > 0)
        _, _, found = find_candidates(chance, image.geometry, brain, image.geometry, detection, "lesion")
        return [(one.centroid_lps_mm, one.score) for one in found]

    return find


def target(case: TrainingCase) -> npt.NDArray[np.uint8]:
    """A case's label map: its lesions, and what is neither lesion nor background."""
    image = case.channels[0]
    labels = np.zeros(image.geometry.shape_zyx, dtype=np.uint8)
    if case.mask is not None:
        labels[(case.mask.array == 0) & (image.array > 0)] = IGNORED
    for lesion in case.lesions:
        if lesion.outline is None:
            raise SystemExit(f"Case '{case.case}' has a lesion without outline.")
        labels[resample_mask(lesion.outline, image.geometry)] = LESION
    return labels


def planned(task: Task) -> Plan:
    """What nnU-Net's rules decide for the training cases and little memory."""
    labels = Labels(labels={"lesion": (LESION,)}, ignore=IGNORED)
    facts = [
        measure_case(
            case.case,
            [image.array for image in case.channels],
            np.where(target(case) == LESION, LESION, 0),
            case.channels[0].geometry.spacing_zyx_mm,
        )
        for case in task.training
    ]
    fingerprint = combine(task.channels, labels.labels, facts)
    return make_plan("lesions", fingerprint, labels, memory_gb=MEMORY_GB)


def cut_down(plan: Plan) -> Plan:
    """The plan with fewer feature maps."""

    def smaller(configuration):
        shape = configuration.architecture
        features = tuple(number // FEWER_FEATURES for number in shape.features)
        return configuration.model_copy(update={"architecture": shape.model_copy(update={"features": features})})

    return plan.model_copy(update={"configurations": tuple(smaller(one) for one in plan.configurations)})


LEARNERS: dict[str, Learner] = {"historic": mtann("historic"), "default": mtann("default"), "u-net": unet}
