"""Where a training stands: written after each epoch, and taken up again."""

from dataclasses import asdict
from pathlib import Path

from mtann.errors import ModelError
from mtann.training.unet.checkpoint import CHECKPOINT_FILE, load_checkpoint, save_checkpoint
from mtann.training.unet.learner import Learner
from mtann.training.unet.log import Epoch


class TrainingState:
    """The checkpoint of one training.

    There are no random numbers to keep: each is drawn from the seed and the number of the batch.

    Args:
        directory: Folder of the training.
        learner: What is trained.
        identity: Tells this training from others.
    """

    def __init__(self, directory: Path, learner: Learner, identity: str) -> None:
        self._directory, self._learner, self._identity = directory, learner, identity

    def save(self, epochs: list[Epoch]) -> None:
        """Write where the training stands after these epochs."""
        content = {
            "identity": self._identity,
            "network": self._learner.network.state_dict(),
            "optimiser": self._learner.optimiser.state_dict(),
            "scaler": self._learner.scaler.state_dict(),
            "epochs": [asdict(epoch) for epoch in epochs],
        }
        save_checkpoint(self._directory, content)

    def restore(self) -> list[Epoch]:
        """Go on from the checkpoint, if there is one; returns the epochs that it had.

        Raises:
            ModelError: It is damaged, or of a training with other cases, plan or settings.
        """
        content = load_checkpoint(self._directory, self._learner.device)
        if content is None:
            return []
        if content["identity"] != self._identity:
            raise ModelError(
                f"'{self._directory}' holds a checkpoint of a training with other cases, plan or settings. Give the "
                f"former ones to go on with it, delete its {CHECKPOINT_FILE}, or choose another output folder."
            )
        self._learner.network.load_state_dict(content["network"])
        self._learner.optimiser.load_state_dict(content["optimiser"])
        self._learner.scaler.load_state_dict(content["scaler"])
        return [Epoch(**epoch) for epoch in content["epochs"]]
