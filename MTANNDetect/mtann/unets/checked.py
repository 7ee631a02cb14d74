"""A trained model with its check: whether less than fp32 gives the same labels on one of its cases."""

from collections.abc import Sequence

from mtann.backends.device import choose_device
from mtann.data_set import LabelledCase
from mtann.errors import CancelledError
from mtann.models.bundle import ModelBundle, complete_bundle
from mtann.models.unet_card import ReducedCheck, UNetCard
from mtann.progress import Run
from mtann.segmentation.precision import check_precision
from mtann.settings import Device
from mtann.unets.prepared import hash_image
from mtann.unets.scores import Agreements
from mtann.volume import Volume
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
        CancelledError: The user asked to stop.
    """
    run, volumes = run or Run(), [read_volume(path) for path in case.channels]
    words = f"on a case of the training data (SHA-256 {hash_image(case.channels[0])[:12]})"
    accelerator = choose_device(device).type
    devices: tuple[Device, ...] = ("cpu",) if accelerator == "cpu" else ("cpu", device)
    checks = tuple(_check(volumes, bundle, where, words, run) for where in devices)
    measured = [check.dice for check in checks if check.dice is not None]
    changed = {"reduced_checks": checks, "reduced_dice": min(measured, default=None)}
    return complete_bundle(bundle.card.model_copy(update=changed), dict(bundle.weights))


def _check(
    volumes: Sequence[Volume], bundle: ModelBundle[UNetCard], device: Device, words: str, run: Run
) -> ReducedCheck:
    """A check; where it fails, the model is kept all the same, and says why it has none."""
    try:
        return check_precision(volumes, bundle, device, "auto", words, run)
    except CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - backends fail in ways of their own, and training took hours.
        # The error itself may name a file, which has no place in a model that is passed on.
        told = f"not measured: the check case could not be segmented ({type(error).__name__})"
        return ReducedCheck(backend="torch", precision="fp32", words=told)


def check_case(cases: Sequence[LabelledCase], measured: dict[str, Agreements]) -> LabelledCase:
    """The case to check with: one with as many labels as any, and of these the one with the most of them."""

    def content(case: LabelledCase) -> tuple[int, int]:
        labels = measured.get(case.case, {})
        return sum(one.true > 0 for one in labels.values()), sum(one.true for one in labels.values())

    return max(cases, key=content)
