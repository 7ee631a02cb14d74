"""Asking a network about candidates that another one, or another detector, has found."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from mtann.detection.candidate import Candidate
from mtann.inference.places import PlaceScores, score_places
from mtann.networks.mtann import MTANN
from mtann.preprocess.prepare import PreparedCase
from mtann.progress import Run

FloatArray = npt.NDArray[np.float64]


def ask_networks(
    networks: Sequence[MTANN],
    prepared: PreparedCase,
    candidates: Sequence[Candidate],
    *,
    device: torch.device | str = "cpu",
    run: Run | None = None,
) -> FloatArray:
    """Scores (networks, candidates), each the mean over a network's members."""
    run = run or Run()
    scores = np.zeros((len(networks), len(candidates)))
    for number, network in enumerate(networks):
        run.report("scores", number / len(networks), f"Asking network {number + 1} of {len(networks)}")
        scores[number] = score_candidates(network, prepared, candidates, device=device, run=run).scores.mean(axis=0)
    return scores


def score_candidates(
    network: MTANN,
    prepared: PreparedCase,
    candidates: Sequence[Candidate],
    *,
    device: torch.device | str = "cpu",
    run: Run | None = None,
) -> PlaceScores:
    """Ask a network about candidates, each at its peak and with the width that it was scored with."""
    peaks = np.array([candidate.peak_lps_mm for candidate in candidates], dtype=np.float64).reshape(-1, 3)
    shape = np.array(prepared.grid.shape_zyx)
    places = np.clip(np.round(prepared.grid.index_from_lps(peaks)).astype(np.int64), 0, shape - 1)
    least = max(prepared.grid.spacing_xyz_mm[:2])
    widths = np.array([candidate.scoring_sigma_mm or least for candidate in candidates])[:, None]
    sigmas = widths / np.array(prepared.grid.spacing_zyx_mm)
    return score_places(network, prepared.channels, places, sigmas, device=device, run=run)
