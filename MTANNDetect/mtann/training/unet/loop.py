"""Teaching a U-Net: the loop, from top to bottom.

Every random choice is drawn from the seed and the number of the batch, and a checkpoint is written after each epoch: a
training that is killed and started again comes to the same network.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from mtann.progress import Run
from mtann.training.unet.learner import Learner
from mtann.training.unet.lesson import Lesson
from mtann.training.unet.log import Epoch, TrainingLog
from mtann.training.unet.losses import UNetLoss
from mtann.training.unet.memory import memory_told
from mtann.training.unet.patches import JUDGE, TRAIN, Batch
from mtann.training.unet.processes import current
from mtann.training.unet.settings import UNetTrainingSettings
from mtann.training.unet.state import TrainingState

_POWER = 0.9
"""Of the learning rate's fall from its first value to 0."""
_SMOOTHING = 0.9
"""Weight of the former epochs in the running Dice that a training is watched by."""


def fit_unet(
    network: nn.Module,
    lesson: Lesson,
    settings: UNetTrainingSettings,
    directory: Path,
    *,
    device: torch.device,
    run: Run | None = None,
) -> list[Epoch]:
    """Train a network in place, from the checkpoint in the folder if there is one.

    Args:
        network: Takes (batch, channels, ...) and answers, while it trains, with logits at several resolutions, finest
            first.
        lesson: Plan and cases.
        settings: How to train.
        directory: Folder for checkpoint and log; it exists.
        device: Where to compute.
        run: Progress and cancellation.

    Returns:
        How each epoch went.

    Raises:
        MTANNError: A checkpoint is damaged or belongs to another training, or memory ran out.
        CancelledError: The user asked to stop; the same call goes on from the last checkpoint.
    """
    run, processes = run or Run(), current()
    network.to(device)
    learner = Learner(network, UNetLoss(lesson.table, lesson.configuration.batch_dice, processes.total), settings)
    state = TrainingState(directory, learner, lesson.identity(settings))
    epochs = state.restore()
    log = TrainingLog(directory, epochs) if processes.is_first else None
    # Batches are numbered through the whole training, so that one which goes on takes those that it would have taken.
    lessons = lesson.batches(TRAIN, settings, processes, len(epochs) * settings.iterations, device)
    tests = lesson.batches(JUDGE, settings, processes, len(epochs) * settings.validation_iterations, device)
    with memory_told(lesson.configuration, settings, device):
        while len(epochs) < settings.epochs:
            epoch = _train_epoch(learner, lessons, tests, epochs, settings, run)
            if log is not None:
                # First the checkpoint: an epoch that is only in the log would be there twice after a kill.
                state.save([*epochs, epoch])
                log.add([*epochs, epoch], last=epoch.epoch == settings.epochs)
            epochs.append(epoch)
            processes.wait()
    if log is not None:
        log.close()
    network.eval()
    return epochs


def _train_epoch(
    learner: Learner,
    lessons: Iterator[Batch],
    tests: Iterator[Batch],
    former: list[Epoch],
    settings: UNetTrainingSettings,
    run: Run,
) -> Epoch:
    """Take the next batches: learn from some, be judged by others."""
    start, number = time.monotonic(), len(former)
    # Networks that drop units out draw from torch's own random numbers.
    torch.manual_seed(settings.seed * 1_000_003 + number)
    rate = settings.learning_rate * (1 - number / settings.epochs) ** _POWER
    training_loss = 0.0
    for iteration in range(settings.iterations):
        share = (number + iteration / settings.iterations) / settings.epochs
        run.report("train", share, _words(former, settings))
        training_loss += learner.learn(next(lessons), rate) / settings.iterations
    validation_loss, dice = learner.judge(next(tests) for _ in range(settings.validation_iterations))
    return Epoch(
        epoch=number + 1,
        learning_rate=rate,
        training_loss=training_loss,
        validation_loss=validation_loss,
        dice=dice,
        smoothed_dice=_smoothed(dice, former),
        seconds=time.monotonic() - start,
    )


def _smoothed(dice: dict[str, float | None], former: list[Epoch]) -> float:
    """The running mean over epochs of the mean over labels."""
    known = [value for value in dice.values() if value is not None]
    before = former[-1].smoothed_dice if former else None
    if not known:
        return before or 0.0
    mean = sum(known) / len(known)
    return mean if before is None else _SMOOTHING * before + (1 - _SMOOTHING) * mean


def _words(former: list[Epoch], settings: UNetTrainingSettings) -> str:
    said = f"Epoch {len(former) + 1} of {settings.epochs}"
    return f"{said}, Dice {former[-1].smoothed_dice:.2f}" if former else said
