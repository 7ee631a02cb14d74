"""What a fold's network finds in the cases that it has not seen: label maps, and how well they agree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mtann.data_set import LabelledCase
from mtann.errors import OutputError
from mtann.inference.answers import Answers
from mtann.inference.labels import Block, blocks, label_type, labels_of, probabilities_of
from mtann.inference.tiles import make_tiles
from mtann.inference.window import SlidingWindow
from mtann.planning.plan import Configuration, Plan
from mtann.preprocess.unet import CroppedCase, crop_case, labels_on_grid, unet_case, with_labels
from mtann.progress import Run
from mtann.unets.calibrate import Sample, keep_sample, sample_file
from mtann.unets.files import read_json, write_json
from mtann.unets.prepared import read_case
from mtann.unets.scores import Agreement, Agreements, compare, mean_dice, overall
from mtann.volume_io import read_volume, write_volume

if TYPE_CHECKING:
    import torch
    from torch import nn

SUMMARY_FILE = "summary.json"
Probabilities = npt.NDArray[np.float16]
LabelArray = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
_BATCH = 4
"""Patches that a graphics card is given at once."""


@dataclass(frozen=True)
class Validation:
    """How a network did in cases that it had not seen.

    Attributes:
        directory: Where its label maps are, named by case.
        cases: By case, how each label agrees with the reference.
    """

    directory: Path
    cases: dict[str, Agreements]

    @property
    def means(self) -> dict[str, float]:
        """Each label's mean Dice."""
        return mean_dice(list(self.cases.values()))

    @property
    def dice(self) -> float:
        """The mean over labels."""
        return overall(self.means)


@dataclass(frozen=True)
class Validator:
    """A trained network that is tried on cases.

    Attributes:
        network: In evaluation mode, on the device.
        plan: What it was trained by.
        configuration: The variant.
        mirrored: Whether answers to mirrored patches are averaged.
        device: Where to compute.
        previous: Of a cascade, the label map that the previous stage found in each case.
        keep_probabilities: Whether they are kept beside the label maps, for ensembles.
    """

    network: "nn.Module"
    plan: Plan
    configuration: Configuration
    mirrored: bool
    device: "torch.device"
    previous: Mapping[str, Path] | None = None
    keep_probabilities: bool = False

    def validate(
        self, cases: Sequence[LabelledCase], directory: Path, identity: str, run: Run | None = None
    ) -> Validation:
        """Segment cases and compare; those that are done already with the same network are not done again.

        Args:
            cases: Which.
            directory: Folder for label maps and ``summary.json``.
            identity: Tells this network from others.
            run: Progress and cancellation.

        Raises:
            MTANNError: An image cannot be used, or the disk is full.
            CancelledError: The user asked to stop; what is done is kept.
        """
        run = run or Run()
        done = read_validation(directory, identity)
        for number, case in enumerate(cases):
            run.report("validate", number / len(cases), f"Trying case {number + 1} of {len(cases)}")
            if case.case not in done or not all(path.is_file() for path in self._beside(directory, case)):
                done[case.case] = self._validate(case, directory, run)
                write_validation(directory, identity, done)
        return Validation(directory, {case.case: done[case.case] for case in cases})

    def _beside(self, directory: Path, case: LabelledCase) -> list[Path]:
        """The files that a case has beside its label map."""
        probabilities = [probability_file(directory, case)] if self.keep_probabilities else []
        return [sample_file(directory, case), *probabilities]

    def _validate(self, case: LabelledCase, directory: Path, run: Run) -> Agreements:
        volumes, labels = read_case(case)
        cropped = crop_case(volumes, self.plan)
        found = np.zeros(cropped.cropped_size, dtype=label_type(self.plan))
        kept: Probabilities | None = None
        if self.keep_probabilities:
            kept = np.zeros((self.plan.outputs, *cropped.cropped_size), dtype=np.float16)
        sample = Sample.of(case.case, cropped.cropped_size, self.plan.outputs)
        for block in self._blocks(cropped, case, run):
            sample.take(block)
            found[block.box] = labels_of(block, self.plan, probabilities=False)
            if kept is not None:
                kept[(slice(None), *block.box)] = probabilities_of(block, self.plan).values
        whole = uncropped(found, cropped)
        directory.mkdir(parents=True, exist_ok=True)
        keep_sample(sample, cropped.cut(labels.array), sample_file(directory, case))
        if kept is not None:
            _keep(kept, probability_file(directory, case))
        write_volume(volumes[0].with_array(whole, case.case), label_file(directory, case))
        return compare(whole, labels.array, self.plan)

    def _blocks(self, cropped: CroppedCase, case: LabelledCase, run: Run) -> Iterator[Block]:
        configuration = self.configuration
        prepared = unet_case(cropped, configuration)
        if self.previous is not None:
            before = labels_on_grid(cropped, read_volume(self.previous[case.case]).array, configuration)
            prepared = with_labels(prepared, before, self.plan)
        size = (prepared.data.shape[1], prepared.data.shape[2], prepared.data.shape[3])
        window = SlidingWindow(make_tiles(size, configuration.patch_size), self.plan.outputs, self.device)
        axes = tuple(range(configuration.dimensions)) if self.mirrored else ()
        batch = 1 if self.device.type == "cpu" else _BATCH
        answers = Answers([self._ask], configuration.dimensions, axes, batch, run.check)
        return blocks(window.run(prepared.data, answers), prepared.back)

    def _ask(self, patches: "torch.Tensor") -> "torch.Tensor":
        import torch

        with torch.inference_mode():
            with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
                logits: torch.Tensor = self.network(patches)
            if not bool(torch.isfinite(logits).all()):
                logits = self.network(patches)  # half precision ran over
        return logits.float()


def uncropped(found: LabelArray, cropped: CroppedCase) -> LabelArray:
    """A label map of the cropped case on the first channel's whole grid."""
    whole = np.zeros(cropped.size, dtype=found.dtype)
    whole[cropped.box] = found
    return np.ascontiguousarray(np.transpose(whole, cropped.plan.transpose_backward))


def label_file(directory: Path, case: LabelledCase) -> Path:
    """Where a case's label map is."""
    return directory / f"{case.case}.nii.gz"


def probability_file(directory: Path, case: LabelledCase) -> Path:
    """Where a case's probabilities are: (output, three axes), of the cropped case, in the network's order of axes."""
    return directory / f"{case.case}.npz"


def _keep(probabilities: Probabilities, path: Path) -> None:
    """Write probabilities under another name first: a file that a killed run left half would count as done."""
    work = path.with_name(f".{path.name}.partial")
    try:
        with work.open("wb") as file:
            np.savez_compressed(file, probabilities=probabilities)
        work.replace(path)
    except OSError as error:
        raise OutputError(
            f"The probabilities '{path}' cannot be written ({error.strerror or error}). Free space, and run again."
        ) from error
    finally:
        work.unlink(missing_ok=True)


def read_probabilities(directory: Path, case: LabelledCase) -> Probabilities:
    """A case's probabilities."""
    with np.load(probability_file(directory, case), allow_pickle=False) as kept:
        probabilities: Probabilities = kept["probabilities"]
    return probabilities


def read_validation(directory: Path, identity: str) -> dict[str, Agreements]:
    """What is done already with a network, by case."""
    document = read_json(directory / SUMMARY_FILE)
    if document.get("network") != identity:
        return {}
    return {
        case: {label: Agreement(one["found"], one["true"], one["both"]) for label, one in labels.items()}
        for case, labels in document["cases"].items()
    }


def write_validation(directory: Path, identity: str, cases: Mapping[str, Agreements]) -> None:
    """Write ``summary.json``: Dice of each label, on the whole and in each case."""
    means = mean_dice(list(cases.values()))
    counted = {
        case: {label: {**asdict(one), "dice": one.dice} for label, one in labels.items()}
        for case, labels in cases.items()
    }
    document = {"schema_version": 1, "network": identity, "dice": overall(means), "labels": means, "cases": counted}
    write_json(directory / SUMMARY_FILE, document)
