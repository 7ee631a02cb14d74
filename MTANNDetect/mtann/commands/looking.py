"""What ``mtann detect`` and ``mtann filter`` share: options, and results for one case or for a list of cases."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mtann import explaining
from mtann.backends.computation import choose_for_mtann
from mtann.cases import CaseFiles, read_case_list
from mtann.commands.cohort import Outcome, run_cohort
from mtann.commands.console import Console
from mtann.commands.inputs import add_images, named_files
from mtann.commands.options import add_backend, add_common, add_device, add_settings, read_settings
from mtann.commands.reading import CaseReader
from mtann.commands.resume import is_done, request_of
from mtann.commands.table import candidate_table, given_remarks
from mtann.detection.candidate import DetectionResult
from mtann.errors import SettingsError
from mtann.models.bundle import ModelBundle
from mtann.models.catalogue import open_model
from mtann.output_folder import check_output, recover_folder
from mtann.pipeline import channels_in_order, resolve_threshold
from mtann.progress import Progress, Run
from mtann.report.documents import result_document
from mtann.report.save import RESULT_FOLDER, save_result
from mtann.scanning import prepare_for, prepared_at
from mtann.settings import DetectionSettings, ExplanationSettings, make_settings
from mtann.uncertain import measure_uncertainty


@dataclass(frozen=True)
class Task:
    """What a command does with a case.

    Attributes:
        look: Called as :func:`mtann.pipeline.detect` is.
        inputs: Hashes, by name, of what it takes beside images and mask.
    """

    look: Callable[..., DetectionResult]
    inputs: dict[str, str]


Open = Callable[[CaseFiles], Task]


def add_case_arguments(parser: argparse.ArgumentParser, settings_title: str) -> None:
    """Describe the options that say which images, with what model, and where to."""
    add_images(parser)
    parser.add_argument("--model", required=True, help="folder of a model bundle, or the name of a bundled model")
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder for the result; a former result there is replaced",
    )
    parser.add_argument(
        "--cases",
        type=Path,
        metavar="CSV",
        help="a list of cases; each gets its own folder within DIR, and finished ones are skipped",
    )
    parser.add_argument(
        "--mask", type=Path, metavar="IMAGE", help="where to look: non-zero voxels, for example a brain mask"
    )
    parser.add_argument(
        "--threshold", type=float, metavar="X", help="score from which candidates are reported (default: the model's)"
    )
    parser.add_argument(
        "--operating-point", default="balanced", help="which of the model's thresholds to use (default: balanced)"
    )
    parser.add_argument(
        "--explain",
        nargs="?",
        type=int,
        const=ExplanationSettings().most_candidates,
        metavar="N",
        help="say why the best N candidates have their scores (default: 3), in the report and as occlusion_*.nii.gz",
    )
    parser.add_argument(
        "--occlusion-cube-mm",
        type=float,
        metavar="X",
        help="edge of the cube of the image that --explain hides, in mm (default: twice the candidate's scoring sigma)",
    )
    parser.add_argument(
        "--uncertainty",
        action="store_true",
        help="also tell how sure the model is: variance.nii.gz, entropy.nii.gz and volume intervals; eight more scans",
    )
    add_device(parser)
    add_backend(parser)
    add_common(parser)
    add_settings(parser, DetectionSettings, settings_title)


@dataclass(frozen=True)
class Looking:
    """One run of a command over its cases.

    Attributes:
        arguments: What :func:`add_case_arguments` describes.
        console: Where progress and results are shown.
        open: Makes a case's task.
        needs: Columns that a list of cases must have besides images.
    """

    arguments: argparse.Namespace
    console: Console
    open: Open
    needs: tuple[str, ...] = ()

    def run(self) -> int:
        """Run over one case or a list; returns the exit code."""
        arguments = self.arguments
        if arguments.cases and (arguments.images or arguments.channel or arguments.mask):
            raise SettingsError(
                "Give either images or --cases, not both; with --cases the list names images and masks."
            )
        if not arguments.cases:
            recover_folder(arguments.output, RESULT_FOLDER)
            check_output(arguments.output, RESULT_FOLDER)
        with CaseReader(arguments) as reader:
            bundle = open_model(arguments.model)
            settings = read_settings(arguments, bundle.card.detection)
            how_to_explain(arguments)  # refuses what cannot be, before the work
            return self._many(bundle, settings, reader) if arguments.cases else self._one(bundle, settings, reader)

    def _one(self, bundle: ModelBundle, settings: DetectionSettings, reader: CaseReader) -> int:
        arguments, console = self.arguments, self.console
        case = CaseFiles("", "", named_files(arguments.images, arguments.channel, bundle.card), arguments.mask)
        result = self._result(bundle, settings, case, reader, self.open(case), arguments.output)
        console.say(candidate_table(result.candidates, given_remarks(result.candidates)))
        console.say(
            f"{len(result.reported)} of {len(result.candidates)} candidates reach the threshold "
            f"{result.threshold:.3f} ({result.threshold_origin})."
        )
        console.say(f"Written to {arguments.output}: see report.html. Research software; review every result.")
        console.finish({"output": str(arguments.output), **result_document(result)})
        return 0

    def _result(
        self,
        bundle: ModelBundle,
        settings: DetectionSettings,
        case: CaseFiles,
        reader: CaseReader,
        task: Task,
        output: Path,
    ) -> DetectionResult:
        arguments, console = self.arguments, self.console
        console.progress(Progress("read", 0.0, "Reading images"))
        volumes, mask = reader.read(case)
        how = how_to_explain(arguments)
        computation = choose_for_mtann(arguments.device, arguments.backend, arguments.precision)
        prepared = None
        if how is not None:
            # Detecting and explaining look at the same case.
            channels = channels_in_order(volumes, bundle.card)
            part = Run(console.progress).part(0.0, prepared_at(bundle.card.network.stages))
            prepared = prepare_for(bundle, channels, mask, settings.tile_voxels, computation, part)
        result = task.look(
            volumes,
            bundle,
            settings=settings,
            mask=mask,
            threshold=arguments.threshold,
            operating_point=arguments.operating_point,
            computation=computation,
            prepared=prepared,
            progress=console.progress,
        )
        for warning in result.warnings:
            console.warn(warning)
        first = volumes[bundle.card.channel_names[0]]
        explanation = None
        if how is not None:
            console.progress(Progress("explain", 1.0, "Explaining the best candidates"))
            explanation = explaining.explain(
                volumes, result, bundle, how, mask=mask, device=arguments.device, prepared=prepared
            )
        unsure = None
        if arguments.uncertainty:
            console.progress(Progress("uncertainty", 1.0, "Asking every network, with the image mirrored"))
            unsure = measure_uncertainty(volumes, result, bundle, mask=mask, device=arguments.device)
        save_result(result, first, output, bundle.card.intended_use, explanation, unsure)
        console.end_progress()
        return result

    def _many(self, bundle: ModelBundle, settings: DetectionSettings, reader: CaseReader) -> int:
        arguments = self.arguments
        cases = read_case_list(arguments.cases, bundle.card.channel_names, self.needs)
        reader.follow(cases)

        def work(case: CaseFiles, output: Path) -> Outcome | None:
            threshold = resolve_threshold(bundle.card, arguments.threshold, arguments.operating_point).value
            task = self.open(case)
            request = request_of(bundle, settings, case, threshold, arguments.series, task.inputs)
            if is_done(output, request, how_to_explain(arguments), arguments.uncertainty):
                return None
            result = self._result(bundle, settings, case, reader, task, output)
            below = len(result.candidates) - len(result.reported)
            message = f"{len(result.reported)} reported, {below} below the threshold"
            return {"reported": len(result.reported), "message": message}

        return run_cohort(cases, arguments.output, RESULT_FOLDER, self.console, work)


def how_to_explain(arguments: argparse.Namespace) -> ExplanationSettings | None:
    """How candidates are to be explained; None if nobody asked.

    Raises:
        SettingsError: Options do not go together, or are out of range.
    """
    if arguments.explain is None:
        if arguments.occlusion_cube_mm is not None:
            raise SettingsError("--occlusion-cube-mm is for --explain, which is missing. Add --explain.")
        return None
    return make_settings(ExplanationSettings, most_candidates=arguments.explain, cube_mm=arguments.occlusion_cube_mm)
