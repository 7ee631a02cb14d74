"""Plans of U-Nets that are small enough for every test."""

from mtann.planning.plan import Architecture, Configuration, Intensities, Plan

CT = Intensities(
    mean=40.0, std=20.0, median=40.0, percentile_00_5=-100.0, percentile_99_5=200.0, minimum=-1000.0, maximum=900.0
)


def architecture(dimensions: int = 3, network: str = "plain_unet") -> Architecture:
    ones, twos, threes = (1,) * dimensions, (2,) * dimensions, (3,) * dimensions
    return Architecture(
        network=network,
        features=(4, 6),
        kernel_sizes=(threes, threes),
        strides=(ones, twos),
        encoder_blocks=(1, 1),
        decoder_convolutions=(1,),
    )


def configuration(name: str = "3d_fullres", channels: int = 1, **values) -> Configuration:
    dimensions = 2 if name == "2d" else 3
    return Configuration(
        **{
            "name": name,
            "spacing": (1.0,) * dimensions,
            "median_size": (24,) * dimensions,
            "patch_size": (16,) * dimensions,
            "batch_size": 2,
            "normalisation": ("z_score",) * channels,
            "normalise_in_mask": (False,) * channels,
            "batch_dice": False,
            "architecture": architecture(dimensions),
            **values,
        }
    )


def plan(channels: int = 1, **values) -> Plan:
    names = ("t1", "t2", "flair")[:channels]
    return Plan(
        **{
            "name": "small",
            "channels": names,
            "labels": {"oedema": (1,), "core": (2,)},
            "intensities": (CT,) * channels,
            "configurations": (configuration(channels=channels),),
            **values,
        }
    )
