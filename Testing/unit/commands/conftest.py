"""What all tests of commands need."""

from pathlib import Path

import pytest
from small_models import ball_model

from mtann.models.bundle import save_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that finds bright balls."""
    folder = tmp_path_factory.mktemp("models") / "balls"
    save_bundle(ball_model(), folder)
    return folder
