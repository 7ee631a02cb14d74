"""The training loop: it learns, it goes on after a kill as if nothing had been, and several processes train as one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from unet_training import ball_cases, small_plan, two_levels

from mtann.errors import CancelledError, ModelError, SettingsError
from mtann.progress import Run
from mtann.training.unet.checkpoint import CHECKPOINT_FILE
from mtann.training.unet.lesson import Lesson
from mtann.training.unet.loop import fit_unet
from mtann.training.unet.settings import UNetTrainingSettings

CPU = torch.device("cpu")
HERE = Path(__file__).parent


def lesson(folder, plan=None) -> Lesson:
    plan = plan or small_plan()
    cases = ball_cases(folder, 4, plan)
    return Lesson(plan, plan.configurations[0], cases[:3], cases[3:])


def settings(**values) -> UNetTrainingSettings:
    return UNetTrainingSettings(**{"epochs": 3, "iterations": 4, "validation_iterations": 2, **values})


def test_it_learns_and_says_so_while_it_does(tmp_path):
    epochs = fit_unet(
        two_levels(), lesson(tmp_path), settings(epochs=8, iterations=15, augment=False), tmp_path, device=CPU
    )
    assert epochs[-1].dice["ball"] > 0.8
    assert epochs[-1].validation_loss < epochs[0].validation_loss
    assert [epoch.learning_rate for epoch in epochs[:2]] == pytest.approx([0.01, 0.01 * (7 / 8) ** 0.9])
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["training_loss"] for line in lines] == [epoch.training_loss for epoch in epochs]
    assert (tmp_path / "progress.png").read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_the_dice_that_a_training_is_watched_by_is_smoothed(tmp_path):
    first, second, _ = fit_unet(two_levels(), lesson(tmp_path), settings(), tmp_path, device=CPU)
    assert first.smoothed_dice == first.dice["ball"]
    assert second.smoothed_dice == pytest.approx(0.9 * first.dice["ball"] + 0.1 * second.dice["ball"])


def test_stopped_and_started_again_it_comes_to_the_same_network(tmp_path):
    whole, parts = two_levels(), two_levels()
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    made = lesson(tmp_path)
    expected = fit_unet(whole, made, settings(), tmp_path / "whole", device=CPU)

    class StopInTheSecondEpoch:
        calls = 0

        def __call__(self):
            self.calls += 1
            return self.calls > 6

    with pytest.raises(CancelledError):
        fit_unet(parts, made, settings(), tmp_path / "parts", device=CPU, run=Run(None, StopInTheSecondEpoch()))
    again = two_levels(seed=9)
    epochs = fit_unet(again, made, settings(), tmp_path / "parts", device=CPU)
    assert [epoch.training_loss for epoch in epochs] == [epoch.training_loss for epoch in expected]
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_a_finished_training_is_not_done_again(tmp_path):
    made = lesson(tmp_path)
    network, again = two_levels(), two_levels(seed=9)
    epochs = fit_unet(network, made, settings(), tmp_path, device=CPU)
    assert fit_unet(again, made, settings(), tmp_path, device=CPU) == epochs
    assert torch.equal(again.fine.weight, network.fine.weight)


def test_a_checkpoint_of_another_training_is_not_gone_on_from(tmp_path):
    made = lesson(tmp_path)
    fit_unet(two_levels(), made, settings(), tmp_path, device=CPU)
    with pytest.raises(ModelError, match="other cases, plan or settings"):
        fit_unet(two_levels(), made, settings(seed=1), tmp_path, device=CPU)


def test_a_damaged_checkpoint_is_named(tmp_path):
    made = lesson(tmp_path)
    fit_unet(two_levels(), made, settings(epochs=1), tmp_path, device=CPU)
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        fit_unet(two_levels(), made, settings(epochs=1), tmp_path, device=CPU)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Harm:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path / 'harm'}",))

    torch.save({"version": 1, "harm": Harm()}, tmp_path / CHECKPOINT_FILE)
    with pytest.raises(ModelError, match="damaged"):
        fit_unet(two_levels(), lesson(tmp_path), settings(), tmp_path, device=CPU)
    assert not (tmp_path / "harm").exists()


def test_exhausted_memory_is_told_with_what_to_do(tmp_path):
    class Greedy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, images):
            raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(Exception, match=r"Memory ran out on cpu .* 2 patches of 8 x 8 x 8"):
        fit_unet(Greedy(), lesson(tmp_path), settings(), tmp_path, device=CPU)


@pytest.mark.parametrize(
    ("plan", "outputs", "dimensions"),
    [
        (small_plan((8, 8)), 2, 2),
        (small_plan(labels={"whole": (1,), "core": (1,)}, region_order=(1, 1)), 2, 3),
        (small_plan(ignore_label=9), 2, 3),
    ],
)
def test_2d_regions_and_ignored_voxels_train(tmp_path, plan, outputs, dimensions):
    network = two_levels(outputs=outputs, dimensions=dimensions)
    epochs = fit_unet(network, lesson(tmp_path, plan), settings(epochs=4, iterations=15), tmp_path, device=CPU)
    assert epochs[-1].validation_loss < epochs[0].validation_loss


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_half_precision_on_a_graphics_card_learns_alike_and_goes_on(tmp_path):
    made, cuda = lesson(tmp_path), torch.device("cuda")
    how = {"iterations": 15, "augment": False, "workers": 2}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    epochs = fit_unet(two_levels(), made, settings(epochs=8, **how), whole, device=cuda)
    assert epochs[-1].dice["ball"] > 0.8
    parts.mkdir()

    class StopInTheFifthEpoch:
        calls = 0

        def __call__(self):
            self.calls += 1
            return self.calls > 65

    stopped = Run(None, StopInTheFifthEpoch())
    with pytest.raises(CancelledError):
        fit_unet(two_levels(), made, settings(epochs=8, **how), parts, device=cuda, run=stopped)
    again = fit_unet(two_levels(seed=9), made, settings(epochs=8, **how), parts, device=cuda)
    assert again[-1].training_loss == pytest.approx(epochs[-1].training_loss, abs=0.02)


PROGRAM = """
import sys
from pathlib import Path
import torch
from test_unet_loop import lesson, settings
from unet_training import two_levels
from mtann.training.unet.loop import fit_unet
from mtann.training.unet.processes import joined

torch.set_num_threads(1)
work, name = Path(sys.argv[1]), sys.argv[2]
(work / name).mkdir(exist_ok=True)
with joined(torch.device("cpu")) as (processes, device):
    made = lesson(work / f"cases{processes.rank}")
    fit_unet(two_levels(), made, settings(**eval(sys.argv[3])), work / name, device=device)
"""


def start(work: Path, name: str, values: dict, launcher=()) -> subprocess.Popen:
    (work / "program.py").write_text(PROGRAM)
    root = HERE.parents[2]
    paths = [root / "MTANNDetect", root / "Testing" / "unit", HERE]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, str(work / "program.py"), str(work), name, repr(values)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen) -> None:
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["training_loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_loss(tmp_path):
    values = {"epochs": 12, "iterations": 15}
    finish(start(tmp_path, "whole", values))
    killed, kills = start(tmp_path, "killed", values), 0
    while killed.poll() is None and kills < 3:
        log, seen = tmp_path / "killed" / "log.jsonl", len(losses(tmp_path / "killed")) if kills else 0
        deadline = time.monotonic() + 120
        while killed.poll() is None and time.monotonic() < deadline:
            if log.is_file() and len(log.read_text().splitlines()) >= seen + 2:
                break
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        kills += 1
        killed = start(tmp_path, "killed", values)
    finish(killed)
    assert kills >= 1
    assert losses(tmp_path / "killed") == pytest.approx(losses(tmp_path / "whole"), abs=1e-3)
    assert len(losses(tmp_path / "whole")) == 12


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path):
    values = {"epochs": 3, "iterations": 5, "batch_size": 4, "augment": False}
    finish(start(tmp_path, "alone", values))
    finish(start(tmp_path, "both", values, ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]))
    assert losses(tmp_path / "both") == pytest.approx(losses(tmp_path / "alone"), abs=1e-4)


def test_a_batch_that_cannot_be_dealt_out_is_refused():
    from mtann.training.unet.processes import Processes

    assert Processes(0, 2).share(4) == 2
    with pytest.raises(SettingsError, match="multiple of 2"):
        Processes(0, 2).share(3)
