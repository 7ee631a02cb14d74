"""Training copies by the hundred: made and prepared in two processes, and kept in files rather than in memory.

A prepared copy takes 60 MB, and a training reads few of them again after its samples are drawn.
"""

import multiprocessing
import multiprocessing.pool
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
import torch
from varied_backgrounds import training_case

from mtann.cases import TrainingCase
from mtann.fitting import TaughtCase, TrainingPlan, prepare_case
from mtann.progress import Run

PROCESSES = 2


def _pool() -> multiprocessing.pool.Pool:
    return multiprocessing.get_context("spawn").Pool(PROCESSES, _one_thread)


def _one_thread() -> None:
    """One thread a process, so that sums have one order, however many cores there are."""
    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def make_copies(pairs: Sequence[tuple[str, int]]) -> list[TrainingCase]:
    """The copies of backgrounds by their seeds."""
    with _pool() as pool:
        return pool.starmap(training_case, pairs, chunksize=1)


class OnDisk:
    """Prepares cases as training does, and keeps their images in a folder, which must last as long as the cases."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, count()

    def prepare_cases(self, cases: Sequence[TrainingCase], plan: TrainingPlan, run: Run) -> list[TaughtCase]:
        """In place of :func:`mtann.fitting.prepare_cases`; no progress, and no way back to the images' own intensities.

        With one thread a process, bias fields may differ from its ones by rounding.
        """
        with _pool() as pool:
            given = ((case, number, plan) for number, case in enumerate(cases))
            return [self._kept(one) for one in pool.imap(_prepared, given)]

    def _kept(self, one: TaughtCase) -> TaughtCase:
        prepared = one.prepared
        tissue = None if prepared.tissue is None else self._file(prepared.tissue)
        channels = tuple(map(self._file, prepared.channels))
        prepared = replace(prepared, channels=channels, mask=self._file(prepared.mask), tissue=tissue, inverses=())
        return replace(one, prepared=prepared)

    def _file(self, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        path = self._folder / f"{next(self._numbers)}.npy"
        np.save(path, array)
        return np.load(path, mmap_mode="c")


def _prepared(given: tuple[TrainingCase, int, TrainingPlan]) -> TaughtCase:
    case, number, plan = given
    return prepare_case(case, plan, number, Run())
