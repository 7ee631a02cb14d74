"""Experts taught end to end, on balls among rods that a short training takes for balls."""

import numpy as np
import pytest

from mtann import detect, train
from mtann.cases import TrainingCase
from mtann.evaluation.matching import Match
from mtann.experts.combine import ScoredCase
from mtann.experts.teach import useful_experts
from mtann.models.bundle import ModelBundle, load_bundle, save_bundle
from mtann.phantoms.shapes import spheres_and_cylinders
from mtann.sampling.lesions import lesions_from_label_map
from mtann.settings import NetworkSettings, TrainingSettings

NETWORK = NetworkSettings(dilations=(1,), hidden=(8,))
QUICK = TrainingSettings(
    steps=120, mining_rounds=0, folds=3, negatives_per_case=600, batch_size=128, max_experts=2, expert_rounds=1
)


def phantom(seed: int):
    return spheres_and_cylinders(seed, count=4, noise_sigma=0.3, radii_mm=(2.0, 4.0))


def taught(repetitions: int = 1) -> ModelBundle:
    cases = []
    for seed in range(6):
        made = phantom(seed)
        lesions = lesions_from_label_map(made.labels, keep_instances=True)
        cases.append(TrainingCase(f"case {seed}", f"patient {seed}", (made.volume,), lesions))
    training = QUICK.model_copy(update={"repetitions": repetitions})
    return train(cases, network=NETWORK, training=training, spacing_mm=1.0, device="cpu")


@pytest.fixture(scope="module")
def bundle():
    with pytest.MonkeyPatch.context() as patch:
        # Whether an expert helps hangs on the last digit here; that experts work must not.
        patch.setattr("mtann.experts.teach.useful_experts", lambda cases, seed: ([1, 2], {1: 0.0, 2: 0.0}))
        patch.setattr("mtann.experts.teach.sort_into_types", lambda alarms, most, seed: [alarms[::2], alarms[1::2]])
        return taught(repetitions=2)


def test_a_result_holds_every_networks_score_and_what_they_combine_to(bundle):
    assert bundle.card.combination.kind == "mixture"
    assert [network.members for network in bundle.networks()] == [2, 2, 2]
    result = detect(phantom(20).volume, bundle, device="cpu")
    assert result.candidates
    for candidate in result.candidates:
        combined = bundle.card.combination.apply(np.array([candidate.expert_scores]).T)
        assert candidate.score == pytest.approx(combined[0])
    scores = [candidate.score for candidate in result.candidates]
    assert scores == sorted(scores, reverse=True)
    assert [candidate.id for candidate in result.candidates] == list(range(1, len(scores) + 1))


def test_the_label_map_follows_the_candidates_to_their_new_numbers(bundle):
    result = detect(phantom(21).volume, bundle, device="cpu")
    geometry, labels = result.likelihood.geometry, result.candidate_map.array
    for candidate in result.candidates:
        voxels = np.argwhere(labels == candidate.id)
        assert len(voxels) * geometry.voxel_volume_mm3 == pytest.approx(candidate.volume_mm3)
        assert np.linalg.norm(geometry.lps_from_index(voxels.mean(axis=0)) - candidate.centroid_lps_mm) < 1.5


def test_a_saved_bundle_with_experts_gives_the_same_result(bundle, tmp_path):
    save_bundle(bundle, tmp_path / "model")
    again = detect(phantom(20).volume, load_bundle(tmp_path / "model"), device="cpu")
    assert again.candidates == detect(phantom(20).volume, bundle, device="cpu").candidates


def test_experts_without_gain_are_dropped():
    random = np.random.default_rng(0)
    cases = []
    for fold in range(4):
        scores = random.normal(scale=0.1, size=(3, 30))
        scores[0, 15:] += 0.5 * (np.arange(15) % 2)
        hits = tuple(number if number < 15 else None for number in range(30))
        scores[1] = 0.5 + 0.01 * scores[1]
        scores[2, :15] += 1.0
        cases.append(ScoredCase(fold, scores, Match((0.0,) * 15, (0.0,) * 15, hits)))
    kept, gains = useful_experts(cases, seed=0)
    assert kept == [2]
    assert gains[2] > 0.3
