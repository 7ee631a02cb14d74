"""Both backends give what the module itself does; compiled and converted networks are kept and told apart."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

from mtann.backends import converted, openvino_network
from mtann.backends.computation import Computation
from mtann.backends.network import NamedNetwork, compile_network
from mtann.backends.openvino_network import forget_compiled
from mtann.networks.registry import build_network
from mtann.planning.plan import Architecture

SHAPE = (2, 3, 8, 12, 10)


def on(backend: str, precision: str = "fp32") -> Computation:
    return Computation("cpu", backend, precision, "the test asks for it")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    forget_compiled()
    monkeypatch.setattr(converted, "cache_folder", lambda: tmp_path / "cache")
    yield tmp_path / "cache"
    forget_compiled()


def small_network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv3d(3, 8, 3, padding=1), nn.InstanceNorm3d(8, affine=True), nn.LeakyReLU(), nn.Conv3d(8, 2, 1)
    )


def block(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def reference(module: nn.Module, inputs: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return module.eval()(inputs).numpy()


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_full_precision_equals_the_module_itself(backend):
    module, inputs = small_network(), block()
    network = compile_network(module, SHAPE, on(backend))
    expected = reference(module, inputs)
    first = network(inputs)
    assert first.dtype == torch.float32
    np.testing.assert_allclose(first, expected, atol=1e-4)
    other = network(block(1).numpy())
    np.testing.assert_allclose(other, reference(module, block(1)), atol=1e-4)
    # A later call leaves an earlier answer as it was.
    np.testing.assert_allclose(first, expected, atol=1e-4)


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_less_precision_is_near_but_not_equal(backend):
    module, inputs = small_network(), block()
    answer = compile_network(module, SHAPE, on(backend, "bf16"))(inputs)
    assert answer.dtype == torch.float32
    difference = np.abs(answer.numpy() - reference(module, inputs)).max()
    assert 1e-4 < difference < 0.1


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_a_block_of_another_shape_is_refused(backend):
    network = compile_network(small_network(), SHAPE, on(backend))
    with pytest.raises(ValueError, match=r"shape \(2, 3, 8, 12, 10\), found \(1, 3, 8, 12, 10\)"):
        network(block()[:1])


def test_traced_on_a_smaller_block_it_answers_alike():
    module, inputs = small_network(), block()
    network = compile_network(module, SHAPE, on("openvino"), trace_shape=(1, 3, 4, 4, 4))
    np.testing.assert_allclose(network(inputs), reference(module, inputs), atol=1e-4)


def test_the_same_network_is_compiled_once_and_other_weights_are_another(monkeypatch):
    compiled = []
    original = openvino_network._compile
    monkeypatch.setattr(openvino_network, "_compile", lambda *arguments: compiled.append(1) or original(*arguments))
    first, again, other = small_network(), small_network(), small_network(1)
    one = compile_network(first, SHAPE, on("openvino"))
    assert compile_network(again, SHAPE, on("openvino")) is one
    assert len(compiled) == 1
    answer = compile_network(other, SHAPE, on("openvino"))(block())
    assert len(compiled) == 2
    np.testing.assert_allclose(answer, reference(other, block()), atol=1e-4)
    compile_network(first, SHAPE, on("openvino", "bf16"))
    assert len(compiled) == 3


def test_threads_share_a_network_without_mixing_their_answers():
    module = small_network()
    network = compile_network(module, SHAPE, on("openvino"))
    wrong = []

    def ask(seed: int) -> None:
        answers = [network(block(seed)).numpy() for _ in range(5)]
        wrong.extend(seed for one in answers if np.abs(one - reference(module, block(seed))).max() > 1e-4)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.fixture
def every_network_is_large(monkeypatch):
    monkeypatch.setattr(openvino_network, "_LARGE", 1)


def test_a_converted_network_is_found_again_by_the_next_process(own_cache, every_network_is_large, monkeypatch):
    module, inputs = small_network(), block()
    compile_network(module, SHAPE, on("openvino"))
    assert len(list(own_cache.iterdir())) == 1
    forget_compiled()
    monkeypatch.setattr(torch.jit, "trace", None)  # A conversion would need it.
    np.testing.assert_allclose(
        compile_network(module, SHAPE, on("openvino"))(inputs), reference(module, inputs), atol=1e-4
    )


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_a_named_network_is_built_when_it_is_needed_only(own_cache, every_network_is_large, backend):
    built = []
    network = NamedNetwork("a name", lambda: built.append(1) or small_network())
    for _ in range(2):
        forget_compiled()
        answer = compile_network(network, SHAPE, on(backend))(block())
        np.testing.assert_allclose(answer, reference(small_network(), block()), atol=1e-4)
    assert len(built) == (2 if backend == "torch" else 1)


@pytest.mark.parametrize("trace_shape", [None, (1, 3, 4, 8, 8)])
def test_a_u_net_converted_answers_as_torch_does(own_cache, trace_shape):
    """Its transposed convolutions are merged on the way, on whatever block it is traced."""
    architecture = Architecture(
        features=(8, 16, 16),
        kernel_sizes=((3, 3, 3),) * 3,
        strides=((1, 1, 1), (2, 2, 2), (1, 2, 2)),
        encoder_blocks=(1, 1, 1),
        decoder_convolutions=(1, 2),
    )
    torch.manual_seed(0)
    network = build_network(architecture, 3, 2, (8, 12, 12)).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    inputs = block(0, (2, 3, 8, 12, 12))
    answer = compile_network(network, inputs.shape, on("openvino"), trace_shape=trace_shape)(inputs)
    np.testing.assert_allclose(answer, reference(network, inputs), atol=1e-4)


@pytest.mark.parametrize("name", ["network.bin", "network.xml", "sha256.json"])
def test_a_damaged_converted_network_is_made_anew(own_cache, every_network_is_large, name):
    module, inputs = small_network(), block()
    compile_network(module, SHAPE, on("openvino"))
    (file,) = own_cache.rglob(name)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    forget_compiled()
    np.testing.assert_allclose(
        compile_network(module, SHAPE, on("openvino"))(inputs), reference(module, inputs), atol=1e-4
    )


def test_only_the_latest_converted_networks_are_kept(own_cache, every_network_is_large, monkeypatch):
    monkeypatch.setattr(converted, "_MOST_KEPT", 2)
    for seed in range(3):
        compile_network(small_network(seed), SHAPE, on("openvino"))
    assert len(list(own_cache.iterdir())) == 2


def test_a_cache_folder_that_cannot_be_written_does_no_harm(tmp_path, every_network_is_large, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(converted, "cache_folder", lambda: tmp_path / "file" / "cache")
    module, inputs = small_network(), block()
    np.testing.assert_allclose(
        compile_network(module, SHAPE, on("openvino"))(inputs), reference(module, inputs), atol=1e-4
    )
