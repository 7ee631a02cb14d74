"""Networks and memory budgets to plan for: nnU-Net's own planners, by our names."""

from dataclasses import dataclass

from mtann.errors import SettingsError

_MANY = 32  # stages; more than halving any patch allows


@dataclass(frozen=True)
class Preset:
    """What a planner aims at.

    Attributes:
        network: Name in the registry of networks.
        memory_gb: GPU memory that it plans for unless told otherwise.
        values_3d: Feature-map values (see :mod:`mtann.planning.memory`) of a 3-D network that fills that memory with
            batches of two patches.
        values_2d: The same in 2-D, with batches of twelve.
        encoder_blocks: Convolutions or residual blocks of each stage.
        decoder_convolutions: Convolutions of each decoder stage.
        largest_share: Most of the data set that one batch may hold.
        fills_with_two: Whether a 2-D patch may grow until two of them, instead of twelve, fill the memory.
    """

    network: str
    memory_gb: float
    values_3d: float
    values_2d: float
    encoder_blocks: tuple[int, ...]
    decoder_convolutions: tuple[int, ...]
    largest_share: float
    fills_with_two: bool


_RESIDUAL_BLOCKS = (1, 3, 4) + (6,) * _MANY

PRESETS: dict[str, Preset] = {
    "plain": Preset("plain_unet", 8, 560e6, 85e6, (2,) * _MANY, (2,) * _MANY, 0.05, True),
    "residual_m": Preset("residual_unet", 8, 680e6, 135e6, _RESIDUAL_BLOCKS, (1,) * _MANY, 1, False),
    "residual_l": Preset("residual_unet", 24, 2100e6, 380e6, _RESIDUAL_BLOCKS, (1,) * _MANY, 1, False),
    "residual_xl": Preset("residual_unet", 40, 3600e6, 560e6, _RESIDUAL_BLOCKS, (1,) * _MANY, 1, False),
}


def find_preset(name: str) -> Preset:
    """The preset of a name.

    Raises:
        SettingsError: There is none; the message lists those there are.
    """
    if name not in PRESETS:
        raise SettingsError(f"There is no preset '{name}'. Use one of: {', '.join(PRESETS)}.")
    return PRESETS[name]
