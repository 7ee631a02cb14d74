"""The live log of a training: ``log.jsonl``, ``progress.png`` and TensorBoard's event files."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtann.errors import MissingPackageError
from mtann.optional import require

LOG_FILE, PLOT_FILE = "log.jsonl", "progress.png"
_PLOT_SECONDS = 20.0
"""Drawing takes part of a second, so short epochs are not drawn each."""


@dataclass(frozen=True)
class Epoch:
    """How one epoch went.

    Attributes:
        epoch: Its number, from 1.
        learning_rate: What it was.
        training_loss: Mean over its batches.
        validation_loss: Mean over batches of held-out cases.
        dice: Of each label, over all patches of held-out cases as one image; None where it was not in them.
        smoothed_dice: Running mean of their mean over epochs.
        seconds: How long it took.
    """

    epoch: int
    learning_rate: float
    training_loss: float
    validation_loss: float
    dice: dict[str, float | None]
    smoothed_dice: float
    seconds: float


class TrainingLog:
    """Writes how a training goes, while it goes.

    Args:
        directory: Folder of the training.
        former: Epochs that a training which goes on here had; the files are brought in line with them.
    """

    def __init__(self, directory: Path, former: list[Epoch]) -> None:
        self._directory = directory
        self._drawn = -_PLOT_SECONDS
        lines = "".join(_line(epoch) for epoch in former)
        (directory / LOG_FILE).write_text(lines, encoding="utf-8", newline="\n")
        self._board = _open_board(directory, len(former) + 1)

    def add(self, epochs: list[Epoch], last: bool) -> None:
        """Write the last of the epochs so far."""
        epoch = epochs[-1]
        with (self._directory / LOG_FILE).open("a", encoding="utf-8", newline="\n") as file:
            file.write(_line(epoch))
        if self._board is not None:
            for name, value in _scalars(epoch).items():
                self._board.add_scalar(name, value, epoch.epoch)
            self._board.flush()
        if last or time.monotonic() - self._drawn > _PLOT_SECONDS:
            _draw(epochs, self._directory / PLOT_FILE)
            self._drawn = time.monotonic()

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._board is not None:
            self._board.close()


def _line(epoch: Epoch) -> str:
    return json.dumps(asdict(epoch), allow_nan=False) + "\n"


def _open_board(directory: Path, first_epoch: int) -> Any:
    """A writer of TensorBoard's event files, or None where the package is not installed: the other files do."""
    try:
        require("tensorboard", "Watching a training in TensorBoard")
    except MissingPackageError:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(directory, purge_step=first_epoch)


def _scalars(epoch: Epoch) -> dict[str, float]:
    dice = {f"dice/{name}": value for name, value in epoch.dice.items() if value is not None}
    return {
        "loss/training": epoch.training_loss,
        "loss/validation": epoch.validation_loss,
        "dice_smoothed": epoch.smoothed_dice,
        "learning_rate": epoch.learning_rate,
        **dice,
    }


def _draw(epochs: list[Epoch], path: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    numbers = [epoch.epoch for epoch in epochs]
    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, dice = figure.subplots(1, 2)
    loss.plot(numbers, [epoch.training_loss for epoch in epochs], label="training")
    loss.plot(numbers, [epoch.validation_loss for epoch in epochs], label="held-out cases")
    loss.set(xlabel="epoch", ylabel="loss")
    loss.legend()
    for name in epochs[-1].dice:
        values = [epoch.dice.get(name) for epoch in epochs]
        dice.plot(numbers, [float("nan") if value is None else value for value in values], lw=0.8, label=name)
    dice.plot(numbers, [epoch.smoothed_dice for epoch in epochs], color="black", label="mean, smoothed")
    dice.set(xlabel="epoch", ylabel="Dice of held-out patches", ylim=(0, 1))
    dice.legend(fontsize="small")
    for axes in (loss, dice):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    work = path.with_name(f".{path.name}")
    figure.savefig(work, format="png", dpi=100)
    work.replace(path)
