"""One configuration of a U-Net model over one case: what evaluates it, and its answers block by block."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from mtann.backends.computation import Computation
from mtann.backends.network import CompiledNetwork, NamedNetwork, compile_network
from mtann.inference.answers import Answers, Network, mirrorings
from mtann.inference.labels import Block, blocks
from mtann.inference.tiles import TileGrid, Triple, make_tiles
from mtann.inference.window import SlidingWindow
from mtann.models.bundle import ModelBundle
from mtann.models.unet_bundle import named_unet_network
from mtann.models.unet_card import UNetCard
from mtann.networks.registry import smallest_block
from mtann.preprocess.resize import Resize
from mtann.preprocess.unet import UNetCase
from mtann.progress import Run
from mtann.segmentation.result import SegmentationSettings

Box = tuple[slice, slice, slice]

_BATCH_VOXELS = {"cpu": 1 << 18}
_BATCH_VOXELS_ELSEWHERE = 1 << 23
"""Most voxels that a network is given at once: processors gain nothing from more, and memory grows with it."""


@dataclass(frozen=True)
class Stage:
    """A configuration with a case on its grid.

    Attributes:
        bundle: The model.
        name: Of the configuration.
        case: The case on its grid.
        settings: Folds, mirroring, overlap.
        computation: What evaluates the networks.
        wanted: Parts of the cropped case that matter; all of it if None.
        positions: Sets of axes to mirror along; all that the model and the settings allow if None.
    """

    bundle: ModelBundle[UNetCard]
    name: str
    case: UNetCase
    settings: SegmentationSettings
    computation: Computation
    wanted: Sequence[Box] | None = None
    positions: tuple[tuple[int, ...], ...] | None = None

    @property
    def folds(self) -> tuple[str, ...]:
        """The folds that are asked."""
        return self.settings.folds or self.bundle.card.folds

    @property
    def mirrorings(self) -> tuple[tuple[int, ...], ...]:
        """The sets of axes that patches are mirrored along."""
        if self.positions is not None:
            return self.positions
        return mirrorings(self.bundle.card.mirror_axes[self.name] if self.settings.mirroring else ())

    @property
    def members(self) -> "list[Stage]":
        """Each network in each mirrored position, by itself."""
        return [
            replace(self, settings=self.settings.model_copy(update={"folds": (fold,)}), positions=(axes,))
            for fold in self.folds
            for axes in self.mirrorings
        ]

    @property
    def grid(self) -> TileGrid:
        """All patches of the case."""
        z, y, x = self.case.data.shape[1:]
        configuration = self.bundle.card.plan.configuration(self.name)
        return make_tiles((z, y, x), configuration.patch_size, self.settings.overlap)

    @property
    def tiles(self) -> list[Triple]:
        """The patches that are run."""
        grid = self.grid
        return grid.tiles if self.wanted is None else grid.touching([_needed(self.case.back, b) for b in self.wanted])

    def blocks(self, run: Run) -> Iterator[Block]:
        """Logits of the cropped case, block by block."""
        plan, tiles = self.bundle.card.plan, self.tiles
        window = SlidingWindow(self.grid, plan.outputs, torch.device(self.computation.device), tiles)
        answers = self._answers(len(tiles), run.check)
        return blocks(window.run(self.case.data, answers, run), self.case.back, self.wanted)

    def _answers(self, tiles: int, asked: Callable[[], None]) -> Answers:
        card = self.bundle.card
        configuration = card.plan.configuration(self.name)
        patch = configuration.patch_size
        voxels = int(torch.Size(patch).numel())
        most = _BATCH_VOXELS.get(self.computation.device, _BATCH_VOXELS_ELSEWHERE) // voxels
        batch = max(1, min(most, tiles * len(self.mirrorings)))
        smallest = smallest_block(configuration.architecture, patch)
        networks = [
            _any_batch(named_unet_network(self.bundle, self.name, fold), batch, self.computation, smallest)
            for fold in self.folds
        ]
        return Answers(networks, configuration.dimensions, (), batch, asked, self.mirrorings)


def _any_batch(network: NamedNetwork, most: int, computation: Computation, smallest: Sequence[int]) -> Network:
    """A network that takes up to ``most`` patches. OpenVINO compiles for one number: others go one by one."""
    ready: dict[torch.Size, CompiledNetwork] = {}

    def compiled(shape: torch.Size) -> CompiledNetwork:
        if shape not in ready:
            ready[shape] = compile_network(network, shape, computation, trace_shape=(1, shape[1], *smallest))
        return ready[shape]

    def evaluate(patches: torch.Tensor) -> torch.Tensor:
        if computation.backend == "torch" or len(patches) in (1, most):
            return compiled(patches.shape)(patches)
        single = compiled(patches[:1].shape)
        return torch.cat([single(patch[None]) for patch in patches])

    return evaluate


def _needed(back: Resize, box: Box) -> Box:
    """The part of a configuration's grid that a part of the cropped case is interpolated from."""
    z, y, x = (slice(*axis.support(part.start, part.stop)) for axis, part in zip(back.axes, box, strict=True))
    return z, y, x
