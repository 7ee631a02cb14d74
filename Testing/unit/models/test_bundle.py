import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mtann.detection.operating_points import OperatingPoint
from mtann.errors import ModelError, OutputError
from mtann.models.bundle import BUNDLE_FOLDER, CARD_FILE, WEIGHTS_FILE, load_bundle, make_bundle, save_bundle
from mtann.models.card import ModelCard
from mtann.models.catalogue import list_models, locate_model
from mtann.networks.mtann import MTANN
from mtann.preprocess.normalise import window
from mtann.preprocess.prepare import Channel, InputSpecification
from mtann.preprocess.steps import STEPS, make_step
from mtann.settings import DetectionSettings, NetworkSettings, TrainingSettings


def small_bundle(name="small", channels=1):
    torch.manual_seed(0)
    settings = NetworkSettings(dilations=(1,), hidden=(3,))
    card = ModelCard(
        name=name,
        inputs=InputSpecification(channels=tuple(Channel(name=f"c{i}") for i in range(channels)), spacing_mm=1.0),
        network=settings,
        training=TrainingSettings(),
        detection=DetectionSettings(),
        operating_points=(
            OperatingPoint(
                name="balanced", threshold=0.4, sensitivity=0.9, fp_per_case=1.0, lesions=10, cases=5, chosen_on="test"
            ),
        ),
        training_cases=5,
        training_patients=5,
        training_lesions=10,
        training_data=(),
        seed=0,
        software={"mtann": "0"},
    )
    return make_bundle(card, [MTANN(settings, channels)])


@pytest.fixture
def saved(tmp_path):
    save_bundle(small_bundle(), tmp_path / "small")
    return tmp_path / "small"


def rewrite(folder, **changes):
    """Change model.json as somebody with an editor would, checksum and all left alone."""
    document = {**json.loads((folder / CARD_FILE).read_text(encoding="utf-8")), **changes}
    (folder / CARD_FILE).write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def test_a_bundle_comes_back_as_it_was(saved):
    bundle, again = small_bundle(), load_bundle(saved)
    assert again.card == bundle.card
    assert again.sha256 == bundle.sha256
    x = torch.randn(1, 4, 1, 1, 171)
    torch.testing.assert_close(again.networks()[0](x), bundle.networks()[0](x), rtol=0, atol=0)


def test_the_same_model_gives_the_same_bytes(saved, tmp_path):
    save_bundle(small_bundle(), tmp_path / "twin")
    for name in (CARD_FILE, WEIGHTS_FILE):
        assert (tmp_path / "twin" / name).read_bytes() == (saved / name).read_bytes()


@pytest.mark.parametrize("file", [CARD_FILE, WEIGHTS_FILE])
def test_one_changed_byte_anywhere_is_noticed(saved, file):
    data = (saved / file).read_bytes()
    for place in np.random.default_rng(0).choice(len(data), 40, replace=False):
        changed = bytearray(data)
        changed[place] ^= 1
        (saved / file).write_bytes(bytes(changed))
        with pytest.raises(ModelError):
            load_bundle(saved)
    (saved / file).write_bytes(data)
    load_bundle(saved)


def test_windows_line_ends_are_forgiven(saved):
    path = saved / CARD_FILE
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    load_bundle(saved)


def test_a_newer_schema_asks_for_an_update(saved):
    rewrite(saved, schema_version=2)
    with pytest.raises(ModelError, match=r"newer version.*Update MTANNDetect"):
        load_bundle(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": "one"}, "schema_version"),
        ({"kind": "oracle"}, "kind"),
        ({"surprise": 1}, "surprise"),
        ({"inputs": {"channels": [], "spacing_mm": 1.0, "dimensions": 3, "mask": "everything"}}, "inputs.channels"),
        ({"name": "renamed"}, "does not match its checksum"),
    ],
)
def test_a_changed_description_is_refused_with_the_field(saved, changes, message):
    rewrite(saved, **changes)
    with pytest.raises(ModelError, match=message):
        load_bundle(saved)


def test_weights_of_another_shape_are_named():
    bundle = small_bundle()
    bundle.weights["expert_0.repetition_0.first_bias"] = np.zeros(4, dtype=np.float32)
    with pytest.raises(ModelError, match=r"'expert_0.repetition_0.first_bias' should have shape \(3,\), found \(4,\)"):
        bundle.networks()


def test_missing_weights_and_missing_card_are_named(saved):
    (saved / WEIGHTS_FILE).unlink()
    with pytest.raises(ModelError, match="no readable weights"):
        load_bundle(saved)
    (saved / CARD_FILE).unlink()
    with pytest.raises(ModelError, match="not a model bundle"):
        load_bundle(saved)


def test_a_bundle_never_replaces_a_folder_of_something_else(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "plan.txt").write_text("mine")
    with pytest.raises(OutputError):
        save_bundle(small_bundle(), tmp_path / "notes")
    assert (tmp_path / "notes" / "plan.txt").read_text() == "mine"
    assert BUNDLE_FOLDER.marker == CARD_FILE


def test_the_operating_points_that_there_are_are_named():
    card = small_bundle().card
    assert card.operating_point("balanced").threshold == 0.4
    with pytest.raises(ModelError, match="it has: balanced"):
        card.operating_point("strict")


def test_an_unknown_model_is_answered_with_the_known_ones(monkeypatch, tmp_path):
    monkeypatch.setattr("mtann.models.catalogue.user_models", lambda: tmp_path)
    save_bundle(small_bundle(), tmp_path / "mine")
    assert [entry.name for entry in list_models() if not entry.bundled] == ["mine"]
    assert locate_model("mine") == tmp_path / "mine"
    assert locate_model(tmp_path / "mine") == tmp_path / "mine"
    with pytest.raises(ModelError, match="mine"):
        locate_model("other")


def test_a_folder_here_does_not_stand_for_a_model_of_that_name(monkeypatch, tmp_path):
    monkeypatch.setattr("mtann.models.catalogue.BUNDLED", tmp_path / "bundled")
    save_bundle(small_bundle(), tmp_path / "bundled" / "mine")
    (tmp_path / "here" / "mine").mkdir(parents=True)
    (tmp_path / "here" / "other").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert locate_model("mine") == tmp_path / "bundled" / "mine"
    assert locate_model("./mine") == locate_model(Path("mine")) == Path("mine")
    assert locate_model("other") == Path("other")


def test_preprocessing_is_kept_in_the_bundle(tmp_path):
    channels = (
        Channel(name="t1", steps=tuple(make_step(name) for name in STEPS)),
        Channel(name="cxr", steps=(make_step("trend", sigma_mm=12.5), make_step("clahe", clip_limit=2.5))),
        Channel(name="ct", modality="ct", normalisation=window("bone")),
    )
    bundle = small_bundle(channels=3)
    inputs = bundle.card.inputs.model_copy(update={"channels": channels})
    save_bundle(make_bundle(bundle.card.model_copy(update={"inputs": inputs}), bundle.networks()), tmp_path / "steps")
    assert load_bundle(tmp_path / "steps").card.inputs.channels == channels


def test_a_bundle_from_before_there_were_steps_is_read_and_written_again(saved, tmp_path):
    document = json.loads((saved / CARD_FILE).read_text(encoding="utf-8"))
    document.pop("checksum")
    document["inputs"]["channels"][0].pop("steps")
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    document["checksum"] = hashlib.sha256(text.encode("utf-8")).hexdigest()
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    (saved / CARD_FILE).write_text(text, encoding="utf-8", newline="\n")
    old = load_bundle(saved)
    assert old.card.inputs.channels[0].steps == ()
    save_bundle(old, tmp_path / "again")
    assert load_bundle(tmp_path / "again").card == old.card


def test_a_step_that_this_version_does_not_know_is_refused(saved):
    inputs = json.loads((saved / CARD_FILE).read_text(encoding="utf-8"))["inputs"]
    inputs["channels"][0]["steps"] = [{"kind": "sharpen"}]
    rewrite(saved, inputs=inputs)
    with pytest.raises(ModelError, match="field 'inputs.channels.0.steps.0'.*'sharpen'"):
        load_bundle(saved)
