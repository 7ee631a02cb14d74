"""``mtann detect --then-segment``: an MTANN proposes and judges, a U-Net outlines."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtann import explaining
from mtann.backends.computation import choose_for_mtann
from mtann.cases import CaseFiles, case_columns, read_case_list
from mtann.commands.cohort import Outcome, run_cohort
from mtann.commands.console import Console
from mtann.commands.looking import how_to_explain
from mtann.commands.options import read_settings
from mtann.commands.reading import CaseReader
from mtann.commands.resume import has_extras, image_hash
from mtann.commands.table import candidate_table
from mtann.errors import SettingsError
from mtann.models.bundle import ModelBundle
from mtann.models.card import ModelCard
from mtann.models.catalogue import open_model
from mtann.models.unet_card import UNetCard
from mtann.output_folder import check_output, recover_folder
from mtann.pipeline import resolve_threshold
from mtann.progress import Progress
from mtann.report.documents import result_document
from mtann.segmentation.files import DOCUMENT_FILE
from mtann.segmentation.result import SegmentationSettings
from mtann.settings import DetectionSettings, make_settings
from mtann.uncertain import measure_uncertainty
from mtann.unets.likelihood_channel import likelihood_warning
from mtann.unets.two_stage import TwoStageResult, detect_then_segment, open_unet, unet_names
from mtann.unets.two_stage_files import TWO_STAGE_FOLDER, save_two_stage


def add_then_segment(parser: argparse.ArgumentParser) -> None:
    """Describe the option."""
    parser.add_argument(
        "--then-segment",
        metavar="UNET",
        help="a U-Net that outlines what is proposed at a sensitive threshold; its findings are scored anew and "
        "reported instead (where the models take different channels, give all as --channel NAME=IMAGE, or as columns)",
    )


def run_then_segment(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    if arguments.cases and (arguments.images or arguments.channel or arguments.mask):
        raise SettingsError("Give either images or --cases, not both; with --cases the list names images and masks.")
    how_to_explain(arguments)  # refuses what cannot be, before the work
    if not arguments.cases:
        recover_folder(arguments.output, TWO_STAGE_FOLDER)
        check_output(arguments.output, TWO_STAGE_FOLDER)
    with CaseReader(arguments) as reader:
        bundle, unet = open_model(arguments.model), open_unet(arguments.then_segment)
        settings = read_settings(arguments, bundle.card.detection)
        stages = _TwoStages(arguments, console, bundle, unet, settings, reader)
        return stages.many() if arguments.cases else stages.one()


@dataclass(frozen=True)
class _TwoStages:
    """One run of the command over its cases."""

    arguments: argparse.Namespace
    console: Console
    bundle: ModelBundle[ModelCard]
    unet: ModelBundle[UNetCard]
    settings: DetectionSettings
    reader: CaseReader

    def one(self) -> int:
        arguments, console = self.arguments, self.console
        case = CaseFiles("", "", _images(arguments, self.bundle, self.unet), arguments.mask)
        result = self._run(case, arguments.output)
        findings = result.findings
        console.say(candidate_table(findings.candidates))
        run, of_all = result.segmentation.patches or (0, 0)
        console.say(
            f"{len(result.proposals.reported)} proposals (threshold {result.proposals.threshold:.3f}), "
            f"{run} of {of_all} tiles segmented, {len(findings.candidates)} findings, "
            f"{len(findings.reported)} of which reach {findings.threshold:.3f} ({findings.threshold_origin})."
        )
        console.say(f"Written to {arguments.output}: see report.html. Research software; review every result.")
        console.finish({"output": str(arguments.output), **result_document(findings)})
        return 0

    def many(self) -> int:
        arguments = self.arguments
        columns = case_columns(arguments.cases)
        cases = read_case_list(arguments.cases, _needed(self.bundle.card, self.unet.card, columns))
        self.reader.follow(cases)
        return run_cohort(cases, arguments.output, TWO_STAGE_FOLDER, self.console, self._one_of_many)

    def _one_of_many(self, case: CaseFiles, output: Path) -> Outcome | None:
        if self._is_done(output, case):
            return None
        findings = self._run(case, output).findings
        below = len(findings.candidates) - len(findings.reported)
        message = f"{len(findings.reported)} reported, {below} below the threshold"
        return {"reported": len(findings.reported), "message": message}

    def _run(self, case: CaseFiles, output: Path) -> TwoStageResult:
        arguments, console, bundle = self.arguments, self.console, self.bundle
        console.progress(Progress("read", 0.0, "Reading images"))
        volumes, mask = self.reader.read(case)
        result = detect_then_segment(
            volumes,
            bundle,
            self.unet,
            self.settings,
            mask=mask,
            threshold=arguments.threshold,
            operating_point=arguments.operating_point,
            computation=choose_for_mtann(arguments.device, arguments.backend, arguments.precision),
            how=self._how,
            progress=console.progress,
        )
        warnings = (*result.findings.warnings, *result.segmentation.warnings, *likelihood_warning(bundle, self.unet))
        for warning in dict.fromkeys(warnings):
            console.warn(warning)
        own = {name: volumes[name] for name in bundle.card.channel_names}
        common: dict[str, Any] = {"mask": mask, "device": arguments.device}
        how, explanation, unsure = how_to_explain(arguments), None, None
        if how is not None:
            console.progress(Progress("explain", 1.0, "Explaining the best findings"))
            explanation = explaining.explain(own, result.findings, bundle, how, **common)
        if arguments.uncertainty:
            console.progress(Progress("uncertainty", 1.0, "Asking every network, with the image mirrored"))
            unsure = measure_uncertainty(own, result.findings, bundle, **common)
        save_two_stage(
            result,
            own[bundle.card.channel_names[0]],
            output,
            bundle.card.intended_use,
            explanation=explanation,
            uncertainty=unsure,
            asked=self._request(case),
        )
        console.end_progress()
        return result

    @property
    def _how(self) -> SegmentationSettings:
        arguments = self.arguments
        given = {name: getattr(arguments, name) for name in ("device", "backend", "precision")}
        return make_settings(SegmentationSettings, **given)

    def _request(self, case: CaseFiles) -> dict[str, Any]:
        """What a result must agree with to count as done."""
        arguments = self.arguments
        threshold = resolve_threshold(self.bundle.card, arguments.threshold, arguments.operating_point)
        return {
            "models": [self.bundle.sha256, self.unet.sha256],
            "inputs": {name: image_hash(path, arguments.series) for name, path in case.channels.items()},
            "mask": image_hash(case.mask, arguments.series) if case.mask else None,
            "settings": self.settings.model_dump(mode="json"),
            "how": self._how.model_dump(mode="json"),
            "threshold": threshold.value,
        }

    def _is_done(self, output: Path, case: CaseFiles) -> bool:
        try:
            document = json.loads((output / DOCUMENT_FILE).read_text(encoding="utf-8"))
            found = document["asked"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        extras = has_extras(output, how_to_explain(self.arguments), self.arguments.uncertainty)
        return bool(found == self._request(case)) and extras


def _needed(card: ModelCard, unet: UNetCard, there: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of images: both models' channels; the MTANN's alone where the U-Net only calls them otherwise."""
    own, others = card.channel_names, tuple(name for name in unet_names(unet) if name not in card.channel_names)
    renamed = len(others) == len(own) == len(unet_names(unet)) and not set(others) & set(there)
    return own if renamed else (*own, *others)


def _images(
    arguments: argparse.Namespace, bundle: ModelBundle[ModelCard], unet: ModelBundle[UNetCard]
) -> dict[str, Path]:
    """The image files of both models, by channel name."""
    if arguments.images and arguments.channel:
        raise SettingsError("Give the images either in the models' order or all as --channel NAME=IMAGE, not both.")
    if arguments.channel:
        named = dict(text.split("=", 1) if "=" in text else (text, "") for text in arguments.channel)
        wanted = set(_needed(bundle.card, unet.card, tuple(named)))
    else:
        named = dict(zip(bundle.card.channel_names, arguments.images, strict=False))
        wanted = set(bundle.card.channel_names)
    given = len(arguments.channel or arguments.images)
    if set(named) != wanted or given != len(wanted) or not all(named.values()):
        raise SettingsError(
            f"The models need the channel(s) {', '.join(sorted(wanted))}; given were {given} image(s)"
            f"{' for ' + ', '.join(named) if arguments.channel else ''}. Give each once, as --channel NAME=IMAGE."
        )
    return {name: Path(path) for name, path in named.items()}
