"""``mtann plan``: measures a data set and plans U-Nets for it."""

import argparse
from pathlib import Path

from mtann.commands.console import Console
from mtann.commands.options import add_common
from mtann.data_set import measure, read_data_set
from mtann.errors import SettingsError
from mtann.networks.fit import with_network
from mtann.output_folder import check_output
from mtann.planning.files import FINGERPRINT_FILE, PLAN_FILE, PLAN_FOLDER, save_plan
from mtann.planning.plan import Plan
from mtann.planning.planner import make_plan
from mtann.planning.presets import PRESETS, find_preset
from mtann.progress import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument(
        "--cases",
        required=True,
        type=Path,
        metavar="CASES",
        help="CSV with the columns case, patient, one a channel, and lesions (the label map); "
        "or nnU-Net's raw folder (dataset.json, imagesTr, labelsTr)",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="LABELS.json",
        help='what label values mean, such as {"labels": {"oedema": 1, "core": 2}}; '
        "nnU-Net's raw folder has its own. Also: region_order, ignore, modality",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder for plan.json")
    parser.add_argument(
        "--channels", default="", metavar="A,B,…", help="columns of the CSV to use (default: all with images)"
    )
    parser.add_argument(
        "--preset",
        default="plain",
        help=f"network and memory to plan for: {', '.join(PRESETS)} (default: plain)",
    )
    parser.add_argument("--memory-gb", type=float, metavar="X", help="GPU memory to plan for (default: the preset's)")
    parser.add_argument("--network", metavar="NAME", help="another network on the same plan; see 'mtann networks list'")
    parser.add_argument("--name", help="name of the plan (default: that of the case list or folder)")
    add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    find_preset(arguments.preset)
    if arguments.memory_gb is not None and not 0 < arguments.memory_gb < float("inf"):
        raise SettingsError(f"--memory-gb takes a positive number; found {arguments.memory_gb:g}.")
    check_output(arguments.output, PLAN_FOLDER)
    channels = [name.strip() for name in arguments.channels.split(",") if name.strip()]
    data_set = read_data_set(arguments.cases, arguments.labels, channels)
    fingerprint = measure(data_set, Run(console.progress))
    name = arguments.name or arguments.cases.absolute().stem
    plan = make_plan(name, fingerprint, data_set.labels, arguments.preset, arguments.memory_gb)
    if arguments.network:
        plan = with_network(plan, arguments.network)
    save_plan(plan, fingerprint, arguments.output)
    for line in _summary(plan):
        console.say(line)
    console.say(f"Written to {arguments.output}: {PLAN_FILE} with the reasons, and {FINGERPRINT_FILE}.")
    console.finish({"output": str(arguments.output), "plan": plan.model_dump(mode="json")})
    return 0


def _summary(plan: Plan) -> list[str]:
    """A line for each configuration."""
    return [
        f"{one.name}: grid {' x '.join(f'{value:.3g}' for value in one.spacing)} mm, "
        f"patch {' x '.join(map(str, one.patch_size))}, batch {one.batch_size}, "
        f"{one.architecture.network} of {len(one.architecture.features)} stages"
        for one in plan.configurations
    ]
