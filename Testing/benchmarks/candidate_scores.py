"""Teaching an MTANN on candidate phantoms with the library's own functions, and scoring candidates with it.

A candidate's score is the Gaussian-weighted mean of the likelihood about its place within the evaluation region (Suzuki
et al., Med Phys 30:1602, 2003). Round every training candidate, lesion or not, the network learns from a region of the
same size; in a non-lesion's, the teacher is 0 throughout. The library draws negatives within a case's search mask, so
the mask of each case is that region.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from candidate_phantoms import EDGE_VOXELS, GEOMETRY, CandidatePhantom

from mtann.cases import TrainingCase
from mtann.detection.peaks import score_at
from mtann.fitting import TaughtCase, TrainingPlan, fit_networks, prepare_cases
from mtann.inference.scan import scan
from mtann.networks.mtann import MTANN
from mtann.preprocess.prepare import Channel, InputSpecification, prepare
from mtann.progress import Run
from mtann.sampling.kernel import dilations_for
from mtann.sampling.lesions import Lesion
from mtann.sampling.subvolumes import NEGATIVE, Samples, gather, to_keep
from mtann.settings import DetectionSettings, NetworkSettings, TrainingSettings
from mtann.volume import Volume

Scores = npt.NDArray[np.float64]

REGION_VOXELS = 15
"""Edge of the training and evaluation region: Suzuki's 15^3. It is the middle tile of the phantom's volume."""

_MIDDLE = slice((EDGE_VOXELS - REGION_VOXELS) // 2, (EDGE_VOXELS + REGION_VOXELS) // 2)
_INPUTS = InputSpecification(channels=(Channel(name="phantom", modality="other"),), spacing_mm=1.0)


def region() -> Volume:
    """Mask (uint8) of the region in a phantom's volume."""
    array = np.zeros(GEOMETRY.shape_zyx, dtype=np.uint8)
    array[_MIDDLE, _MIDDLE, _MIDDLE] = 1
    return Volume(array, GEOMETRY, "region")


def teach(
    sample: Sequence[CandidatePhantom],
    network: NetworkSettings,
    training: TrainingSettings,
    one_sample_a_case: bool = False,
) -> MTANN:
    """An MTANN taught on a sample; with ``one_sample_a_case`` on the subvolume at each candidate's place alone.

    Without dilations, they are chosen by the lesions' radii, as training does it.
    """
    if not network.dilations:
        radii = [one.radius_mm for one in sample if one.is_lesion]
        network = network.model_copy(update={"dilations": dilations_for(radii, 1.0, network)})
    plan = TrainingPlan(_INPUTS, network, training, DetectionSettings(), torch.device("cpu"))
    taught = prepare_cases([_training_case(number, one) for number, one in enumerate(sample)], plan, Run())
    if one_sample_a_case:
        taught = [_only_the_middle(one, network) for one in taught]
    return fit_networks(taught, [], plan, Run()).of_fold(None)


def scoring_sigma_mm(sample: Sequence[CandidatePhantom], training: TrainingSettings) -> float:
    """Width of the scoring Gaussian: the mean width of the sample's Gaussian teachers."""
    if training.fixed_teaching_sigma_voxels is not None:
        return training.fixed_teaching_sigma_voxels
    radii = np.array([one.radius_mm for one in sample if one.is_lesion])
    return float(np.maximum(training.teaching_sigma_factor * radii, training.min_teaching_sigma_voxels).mean())


def score(network: MTANN, sample: Sequence[CandidatePhantom], sigma_mm: float) -> Scores:
    """The score (n,) of each candidate."""
    middle = (REGION_VOXELS // 2,) * 3
    scores = []
    for one in sample:
        prepared = prepare([one.volume], _INPUTS, region())
        likelihood = scan(network, prepared.channels, prepared.mask, tile_voxels=REGION_VOXELS)[0]
        scores.append(score_at(likelihood[_MIDDLE, _MIDDLE, _MIDDLE], middle, np.full(3, sigma_mm)))
    return np.array(scores)


def classification_cases(sample: Sequence[CandidatePhantom]) -> list[TrainingCase]:
    """Each candidate as the one case of a patient, marked by its place alone."""
    cases = []
    for number, one in enumerate(sample):
        name, place = f"case {number}", (Lesion(one.centre_lps_mm),)
        lesions, others = (place, ()) if one.is_lesion else ((), place)
        cases.append(TrainingCase(name, name, (one.volume,), lesions, non_lesions=others))
    return cases


def _training_case(number: int, one: CandidatePhantom) -> TrainingCase:
    lesions = (Lesion(one.centre_lps_mm, one.radius_mm),) if one.is_lesion else ()
    return TrainingCase(f"case {number}", f"case {number}", (one.volume,), lesions, region())


def _only_the_middle(one: TaughtCase, network: NetworkSettings) -> TaughtCase:
    where = np.full((1, 3), EDGE_VOXELS // 2)
    lesion = bool(one.case.lesions)
    samples = Samples(
        to_keep(gather(one.prepared.channels, where, network)),
        np.array([float(lesion)], dtype=np.float32),
        np.array([0 if lesion else NEGATIVE]),
    )
    return replace(one, samples=(samples,))
