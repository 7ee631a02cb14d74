"""Bundles of several kinds: told apart, checked, described."""

import json

import numpy as np
import pytest
from small_models import ball_model

from mtann.errors import ModelError
from mtann.models.bundle import CARD_FILE, load_bundle, save_bundle
from mtann.models.card import ModelCard
from mtann.models.catalogue import open_bundle, open_model
from mtann.models.enhancement_card import EnhancementCard
from mtann.models.kinds import CARDS
from unit.enhancement.pictures import denoiser


def test_the_kinds_are_the_cards_own():
    assert {kind: card.model_fields["kind"].default for kind, card in CARDS.items()} == {kind: kind for kind in CARDS}


def test_each_kind_is_read_as_its_own_card(tmp_path):
    for name, bundle, card in (("a", ball_model(), ModelCard), ("b", denoiser(), EnhancementCard)):
        save_bundle(bundle, tmp_path / name)
        assert isinstance(load_bundle(tmp_path / name).card, card)
        assert open_bundle(tmp_path / name, card).card == bundle.card
    with pytest.raises(ModelError, match="here, one of kind 'mtann' is needed"):
        open_model(tmp_path / "b")
    with pytest.raises(ModelError, match="here, one of kind 'mtann_enhancement' is needed"):
        open_bundle(tmp_path / "a", EnhancementCard)


def test_an_unknown_kind_asks_for_an_update(tmp_path):
    save_bundle(denoiser(), tmp_path / "model")
    path = tmp_path / "model" / CARD_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "kind": "oracle"}))
    with pytest.raises(ModelError, match=r"kind 'oracle'.*known: mtann, mtann_enhancement, unet.*Update"):
        load_bundle(tmp_path / "model")


def test_levels_are_members_of_one_network():
    bundle = denoiser()
    (network,) = bundle.networks()
    assert network.members == bundle.card.training.levels == 3
    for level in range(3):
        np.testing.assert_array_equal(
            network.first_weight[level].detach(), bundle.weights[f"level_{level}.first_weight"]
        )
    broken = {name: array for name, array in bundle.weights.items() if name != "level_2.first_bias"}
    with pytest.raises(ModelError, match="'level_2.first_bias' should have shape"):
        type(bundle)(bundle.card, broken, bundle.sha256).networks()


def test_cards_say_what_the_model_is_for_and_how_it_did():
    card, lesions = denoiser().card, ball_model().card
    assert (card.purpose, lesions.purpose) == ("makes: clean (enhanced)", "finds: lesion")
    assert (card.command, lesions.command) == ("enhance", "detect")
    assert card.taught_on == "4 pairs of images of 4 patients"
    assert f"PSNR {card.quality.output.psnr_db:.2f} dB" in card.results[0]
    assert f"(input: {card.quality.input.psnr_db:.2f} dB" in card.results[0]
    names = [*(point.name for point in lesions.operating_points), "segmentation"]
    assert [line.partition(":")[0] for line in lesions.results] == names
    assert lesions.model_copy(update={"operating_points": (), "segmentation": None}).results == ()
    assert card.model_copy(update={"quality": None}).results == ()
    assert {image.role for image in card.training_data} == {"channel 1", "target"}
