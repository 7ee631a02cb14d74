"""The network that an nnU-Net v2 plan describes. Classes are known by name; none that a plan names is ever imported."""

from typing import Any

from mtann.errors import ModelError
from mtann.planning.plan import Architecture

_PACKAGE = "dynamic_network_architectures.architectures."
CLASSES = {"PlainConvUNet": "plain_unet", "ResidualEncoderUNet": "residual_unet"}
"""Our registered name of a network by the name of nnU-Net's class."""

MODULES = {"plain_unet": _PACKAGE + "unet.PlainConvUNet", "residual_unet": _PACKAGE + "unet.ResidualEncoderUNet"}
"""The full name of nnU-Net's class by our registered name."""

_FIXED: dict[str, tuple[Any, ...]] = {
    "conv_bias": (True,),
    "dropout_op": (None,),
    "nonlin": ("torch.nn.LeakyReLU", "torch.nn.modules.activation.LeakyReLU"),
    "nonlin_first": (False,),
    "stem_channels": (None,),
    "bottleneck_channels": (None,),
}
"""What a plan may say of a network's parts, where it says anything."""


def read_architecture(configuration: dict[str, Any], where: str) -> Architecture:
    """The network of a configuration, of the newer or the older generation of plans.

    Raises:
        ModelError: The network is of an unknown class, or has parts that are not known.
    """
    if "architecture" in configuration:
        described = configuration["architecture"]
        name, kwargs = _known_class(str(described["network_class_name"]), where), dict(described["arch_kwargs"])
    else:
        name, kwargs = _known_class(str(configuration["UNet_class_name"]), where), _older(configuration)
    _check_parts(kwargs, where)
    dimensions = len(configuration["patch_size"])
    stages = int(kwargs["n_stages"])
    blocks = kwargs["n_conv_per_stage"] if "n_conv_per_stage" in kwargs else kwargs["n_blocks_per_stage"]
    return Architecture(
        network=name,
        features=_each(kwargs["features_per_stage"], stages),
        kernel_sizes=tuple(_sizes(size, dimensions) for size in _each(kwargs["kernel_sizes"], stages)),
        strides=tuple(_sizes(size, dimensions) for size in _each(kwargs["strides"], stages)),
        encoder_blocks=_each(blocks, stages),
        decoder_convolutions=_each(kwargs["n_conv_per_stage_decoder"], stages - 1),
    )


def write_architecture(architecture: Architecture, dimensions: int) -> dict[str, Any]:
    """The entry ``architecture`` of a configuration, as nnU-Net writes it.

    Raises:
        ModelError: nnU-Net has no such network.
    """
    if architecture.network not in MODULES:
        raise ModelError(
            f"The network '{architecture.network}' cannot be written for nnU-Net; it knows {', '.join(MODULES)}."
        )
    blocks = "n_conv_per_stage" if architecture.network == "plain_unet" else "n_blocks_per_stage"
    return {
        "network_class_name": MODULES[architecture.network],
        "arch_kwargs": {
            "n_stages": len(architecture.features),
            "features_per_stage": list(architecture.features),
            "conv_op": f"torch.nn.modules.conv.Conv{dimensions}d",
            "kernel_sizes": [list(size) for size in architecture.kernel_sizes],
            "strides": [list(size) for size in architecture.strides],
            blocks: list(architecture.encoder_blocks),
            "n_conv_per_stage_decoder": list(architecture.decoder_convolutions),
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dimensions}d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def _known_class(full: str, where: str) -> str:
    package, _, name = full.rpartition(".")
    if name not in CLASSES or (package and not f"{package}.".startswith(_PACKAGE)):
        raise ModelError(
            f"The plan of '{where}' names the network class '{full}', which is not known and is not imported. "
            f"Known are: {', '.join(CLASSES)}."
        )
    return CLASSES[name]


def _older(configuration: dict[str, Any]) -> dict[str, Any]:
    """What the older generation says, in the words of the newer."""
    stages = len(configuration["n_conv_per_stage_encoder"])
    base, most = configuration["UNet_base_num_features"], configuration["unet_max_num_features"]
    return {
        "n_stages": stages,
        "features_per_stage": [min(base * 2**stage, most) for stage in range(stages)],
        "kernel_sizes": configuration["conv_kernel_sizes"],
        "strides": configuration["pool_op_kernel_sizes"],
        "n_conv_per_stage": configuration["n_conv_per_stage_encoder"],
        "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
    }


def _check_parts(kwargs: dict[str, Any], where: str) -> None:
    problems = [
        f"{key} = {kwargs[key]!r}" for key, allowed in _FIXED.items() if key in kwargs and kwargs[key] not in allowed
    ]
    norm = str(kwargs.get("norm_op", "InstanceNorm3d")).rpartition(".")[2]
    if not norm.startswith("InstanceNorm"):
        problems.append(f"norm_op = {kwargs['norm_op']!r}")
    options = kwargs.get("norm_op_kwargs") or {"eps": 1e-05, "affine": True}
    if options.get("eps", 1e-05) != 1e-05 or options.get("affine") is not True or len(options) > 2:
        problems.append(f"norm_op_kwargs = {options!r}")
    if (kwargs.get("nonlin_kwargs") or {}).get("negative_slope", 0.01) != 0.01:
        problems.append(f"nonlin_kwargs = {kwargs['nonlin_kwargs']!r}")
    if not str(kwargs.get("block", "BasicBlockD")).endswith("BasicBlockD"):
        problems.append(f"block = {kwargs['block']!r}")
    if problems:
        raise ModelError(
            f"The plan of '{where}' describes a network with {', '.join(problems)}; known are only the parts that "
            "nnU-Net's own planners choose (instance normalisation, leaky ReLU, no dropout). Run it with nnU-Net."
        )


def _each(value: Any, count: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * count


def _sizes(value: Any, dimensions: int) -> tuple[int, ...]:
    return tuple(int(one) for one in value) if isinstance(value, (list, tuple)) else (int(value),) * dimensions
