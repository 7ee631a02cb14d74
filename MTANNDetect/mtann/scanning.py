"""A model's networks on a case: likelihood volumes, and what earlier networks in a row hand on.

A network judges each voxel by its subvolume alone: a piece of a thin rim looks like a vein, a sinus like a rim. What
the voxels about were taken for tells them apart, so a model may consist of networks in a row, each of which sees what
the one before it answered: auto-context (Tu and Bai, IEEE Trans Pattern Anal Mach Intell 32:1744, 2010) with MTANNs.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mtann.backends.computation import Computation
from mtann.errors import MTANNError
from mtann.models.bundle import ModelBundle
from mtann.preprocess.grid import FloatVolume
from mtann.preprocess.hessian import with_hessian
from mtann.preprocess.prepare import PreparedCase, prepare
from mtann.progress import Run
from mtann.volume import Volume

if TYPE_CHECKING:
    from mtann.networks.mtann import MTANN


def prepare_for(
    bundle: ModelBundle,
    channels: Sequence[Volume],
    mask: Volume | None,
    tile_voxels: int,
    computation: Computation,
    run: Run,
) -> PreparedCase:
    """A case as the model's last networks see it: on the model's grid, with the answer of the network before them.

    Args:
        bundle: The model.
        channels: One image a channel, in the model's order.
        mask: Where to look (non-zero voxels); found as the model's description says if None.
        tile_voxels: Largest edge of a tile that earlier networks scan.
        computation: What evaluates them.
        run: Progress and cancellation.

    Raises:
        MTANNError: An image, or the mask, cannot be used, or memory ran out.
        CancelledError: The user asked to stop.
    """
    card = bundle.card
    stages = card.network.stages
    ready = run.part(0.0, 1.0 if stages == 1 else 0.2)
    prepared = prepare(channels, card.inputs, mask, ready.part(0.0, 0.7))
    prepared = with_hessian(prepared, card.network.hessian_scales_mm, card.dimensions, ready.part(0.7, 1.0))
    for number, network in enumerate(bundle.earlier_networks() if stages > 1 else ()):
        part = run.part(0.2 + 0.8 * number / (stages - 1), 0.2 + 0.8 * (number + 1) / (stages - 1))
        prepared = answered_by(network, prepared, tile_voxels, computation, part)
    return prepared


def answered_by(
    network: "MTANN", prepared: PreparedCase, tile_voxels: int, computation: Computation, run: Run
) -> PreparedCase:
    """A case as the next network in a row sees it: with a network's answer in all tissue.

    What is searched must not change what is seen there.

    Raises:
        MTANNError: Memory ran out.
        CancelledError: The user asked to stop.
    """
    everywhere = replace(prepared, mask=prepared.all_tissue)
    return prepared.with_answer(scan_case(network, everywhere, tile_voxels, computation, run))


def prepared_at(stages: int) -> float:
    """The share of a run's progress at which a case is prepared: earlier networks take as long as the last one."""
    return 0.8 - 0.7 / stages


def scan_case(
    network: "MTANN", prepared: PreparedCase, tile_voxels: int, computation: Computation, run: Run
) -> FloatVolume:
    """The likelihood volume on the model's grid, averaged over repetitions; says what to do where memory runs out.

    Raises:
        MTANNError: Memory ran out.
        CancelledError: The user asked to stop.
    """
    likelihood: FloatVolume = scan_members(network, prepared, tile_voxels, computation, run).mean(axis=0)
    return likelihood


def scan_members(
    network: "MTANN", prepared: PreparedCase, tile_voxels: int, computation: Computation, run: Run
) -> FloatVolume:
    """Each repetition's likelihood volume (members, z, y, x) on the model's grid.

    Raises:
        MTANNError: Memory ran out.
        CancelledError: The user asked to stop.
    """
    import torch

    from mtann.inference.scan import scan

    try:
        return scan(
            network, prepared.channels, prepared.mask, tile_voxels=tile_voxels, computation=computation, run=run
        )
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise MTANNError(
            f"Memory ran out while scanning on {computation.device}. Use smaller tiles (setting tile_voxels, now "
            f"{tile_voxels}), close other programs, or compute on the CPU."
        ) from error
