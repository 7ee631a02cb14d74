"""Another network on a plan."""

from mtann.errors import SettingsError
from mtann.networks.registry import build_network, find_network
from mtann.planning.plan import Configuration, Plan


def with_network(plan: Plan, name: str) -> Plan:
    """The plan with another network in every configuration whose patch it can work on; the others are left out.

    Raises:
        SettingsError: There is no such network, or it can work on no configuration's patch; the message says why.
    """
    find_network(name)
    kept: list[Configuration] = []
    reasons, refusals = [], []
    for configuration in plan.configurations:
        architecture = configuration.architecture.model_copy(update={"network": name})
        extra = plan.outputs if configuration.previous else 0
        try:
            build_network(architecture, len(plan.channels) + extra, plan.outputs, configuration.patch_size)
        except SettingsError as error:
            refusals.append(error)
            reasons.append(f"{configuration.name} is left out: {error}")
            continue
        kept.append(configuration.model_copy(update={"architecture": architecture}))
    names = [configuration.name for configuration in kept]
    kept = [one for one in kept if one.previous is None or one.previous in names]
    if not kept:
        raise refusals[0]
    reasons.insert(0, f"The network is '{name}' by choice; patch and batch size are those planned for a U-Net.")
    return Plan(**{**dict(plan), "configurations": tuple(kept), "reasons": (*plan.reasons, *reasons)})
