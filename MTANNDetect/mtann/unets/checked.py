"""A trained model with its check: whether less than fp32 gives the same labels on one of its cases."""

from collections.abc import Sequence

from mtann.backends.device import choose_device
from mtann.data_set import LabelledCase
from mtann.models.bundle import ModelBundle, complete_bundle
from mtann.models.unet_card import UNetCard
from mtann.progress import Run
from mtann.segmentation.precision import check_precision
from mtann.settings import Device
from mtann.unets.prepared import hash_image
from mtann.unets.scores import Agreements
from mtann.volume_io import read_volume


def with_checks(
    bundle: ModelBundle[UNetCard], case: LabelledCase, device: Device = "auto", run: Run | None = None
) -> ModelBundle[UNetCard]:
    """The model with how its labels in less than fp32 agree with those in fp32, on the processor and on a GPU if any.

    Args:
        bundle: The model as it was trained.
        case: The check case.
        device: Where the training computes.
        run: Progress and cancellation.

    Raises:
        MTANNError: The case cannot be segmented; the message says why.
        CancelledError: The user asked to stop.
    """
    run, volumes = run or Run(), tuple(read_volume(path) for path in case.channels)
    words = f"on a case of the training data (SHA-256 {hash_image(case.channels[0])[:12]})"
    accelerator = choose_device(device).type
    devices: tuple[Device, ...] = ("cpu",) if accelerator == "cpu" else ("cpu", device)
    checks = tuple(check_precision(volumes, bundle, where, "auto", words, run) for where in devices)
    measured = [check.dice for check in checks if check.dice is not None]
    changed = {"reduced_checks": checks, "reduced_dice": min(measured, default=None)}
    return complete_bundle(bundle.card.model_copy(update=changed), dict(bundle.weights))


def check_case(cases: Sequence[LabelledCase], measured: dict[str, Agreements]) -> LabelledCase:
    """The case to check with: one with as many labels as any, and of these the one with the most of them."""

    def content(case: LabelledCase) -> tuple[int, int]:
        labels = measured.get(case.case, {})
        return sum(one.true > 0 for one in labels.values()), sum(one.true for one in labels.values())

    return max(cases, key=content)
