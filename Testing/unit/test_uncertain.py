"""How sure the small model is of its balls."""

import json

import numpy as np
import pytest
from small_models import BALLS, ball_model, balls

from mtann.commands.resume import is_done
from mtann.detection.uncertainty import Uncertainty
from mtann.errors import ModelError
from mtann.models.bundle import load_bundle, make_bundle, save_bundle
from mtann.pipeline import detect
from mtann.report.save import save_result
from mtann.uncertain import measure_uncertainty, mirror_axes

IMAGE = balls(7).volume


@pytest.fixture(scope="module")
def found():
    return detect(IMAGE, ball_model(), device="cpu")


@pytest.fixture(scope="module")
def unsure(found) -> Uncertainty:
    return measure_uncertainty(IMAGE, found, ball_model(), device="cpu")


def test_the_model_keeps_its_folds_networks(tmp_path):
    model = ball_model()
    assert model.card.kept_folds == 2
    save_bundle(model, tmp_path / "model")
    again = load_bundle(tmp_path / "model").ensemble()
    assert again.members == 3
    # The first is the network for use; the folds' saw other cases.
    state, single = again.state_dict(), model.networks()[0].state_dict()
    np.testing.assert_array_equal(state["output_weight"][0], single["output_weight"][0])
    assert (state["output_weight"][1] != state["output_weight"][0]).any()
    assert make_bundle(model.card, model.networks()).card.kept_folds == 0


def test_every_network_sees_every_mirrored_image(unsure):
    assert (unsure.networks, unsure.mirrorings) == (3, 8)
    assert mirror_axes(2) == [(), (1,), (2,), (1, 2)]


def test_the_networks_agree_on_nothing_and_differ_about_the_balls(found, unsure):
    assert unsure.variance.geometry.matches(IMAGE.geometry)
    inside = np.asarray(found.candidate_map.array) == 1
    assert unsure.variance.array[inside].mean() > 10 * np.median(unsure.variance.array)
    assert 0 <= unsure.entropy.array.min() <= unsure.entropy.array.max() <= 1


def test_volumes_lie_about_what_the_model_outlined(found, unsure):
    for candidate in found.candidates[: len(BALLS)]:
        (own,) = [one for one in unsure.volumes if one.id == candidate.id]
        assert own.low_mm3 <= own.median_mm3 <= own.high_mm3
        assert own.median_mm3 == pytest.approx(candidate.volume_mm3, rel=0.6)


def test_the_result_folder_holds_it(found, unsure, tmp_path):
    save_result(found, IMAGE, tmp_path / "result", uncertainty=unsure)
    document = json.loads((tmp_path / "result" / "uncertainty.json").read_text(encoding="utf-8"))
    assert document["networks"] == 3
    assert [one["id"] for one in document["volumes"]] == [one.id for one in found.candidates]
    assert "3 networks of other seeds" in (tmp_path / "result" / "report.html").read_text(encoding="utf-8")
    request = {
        "model": found.model.sha256,
        "inputs": {one.channel: one.sha256 for one in found.inputs},
        "settings": found.settings.model_dump(mode="json"),
        "threshold": found.threshold,
    }
    assert is_done(tmp_path / "result", request, unsure=True)
    save_result(found, IMAGE, tmp_path / "result")
    assert is_done(tmp_path / "result", request)
    assert not is_done(tmp_path / "result", request, unsure=True)


def test_another_models_result_is_refused(found):
    other = make_bundle(ball_model().card.model_copy(update={"name": "other"}), ball_model().networks())
    with pytest.raises(ModelError, match="not by 'other'"):
        measure_uncertainty(IMAGE, found, other, device="cpu")
