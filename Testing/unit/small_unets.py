"""U-Net models and images that are small enough for every test; weights are random, so labels are patchy."""

import numpy as np
import torch
from unet_plans import configuration, plan

from mtann.geometry import Geometry
from mtann.models.bundle import ModelBundle
from mtann.models.unet_bundle import make_unet_bundle
from mtann.models.unet_card import UNetCard
from mtann.networks.registry import build_network
from mtann.planning.plan import Plan
from mtann.preprocess.unet import label_values
from mtann.volume import Volume


def states(made: Plan, stages, folds) -> dict:
    found = {}
    for name in stages:
        planned = made.configuration(name)
        channels = len(made.channels) + (len(label_values(made)) if planned.previous else 0)
        for number, fold in enumerate(folds):
            torch.manual_seed(number + 10 * len(name))
            network = build_network(planned.architecture, channels, made.outputs, planned.patch_size)
            # Drawn wider than for training, or every voxel would be of one label.
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.add_(torch.randn_like(parameter) * 0.2)
            found[name, fold] = network.state_dict()
    return found


def small_unet(made: Plan | None = None, folds=("0",), mirror=(), **values) -> ModelBundle:
    made = made or plan()
    names = values.pop("configurations", (made.configurations[0].name,))
    card = UNetCard(
        **{
            "name": "small",
            "plan": made,
            "configurations": names,
            "folds": folds,
            "mirror_axes": {one.name: mirror for one in made.configurations},
            "training_data": (),
            "software": {},
            **values,
        }
    )
    return make_unet_bundle(card, states(made, card.stages, folds))


def cascade_plan() -> Plan:
    return plan(
        configurations=(
            configuration("3d_lowres", spacing=(2.0, 2.0, 2.0)),
            configuration("3d_cascade_fullres", previous="3d_lowres"),
        )
    )


REGIONS = {"labels": {"whole": (1, 2), "core": (2,)}, "region_order": (1, 2)}


def image(shape=(22, 20, 24), spacing_xyz=(1.0, 1.0, 1.0), seed=0, name="image") -> Volume:
    """Smooth noise with a border of zeros on two sides."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=tuple(n // 4 + 2 for n in shape))
    array = np.kron(coarse, np.ones((4, 4, 4)))[: shape[0], : shape[1], : shape[2]] + rng.normal(0, 0.2, shape)
    array[:2] = 0
    array[:, -3:] = 0
    return Volume(array.astype(np.float32), Geometry(shape, spacing_xyz, (0.0, 0.0, 0.0)), name)
