"""Eight folders made and trained by nnunetv2: the same labels and logits here, and the way back for two of ours."""

import multiprocessing
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from nnunet_compare import RECIPES, compare, set_up

pytestmark = [pytest.mark.peers, pytest.mark.slow]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    # nnunetv2 is set up by environment variables, which the tests after these must not see.
    context, variables = multiprocessing.get_context, dict(os.environ)
    made = tmp_path_factory.mktemp("nnunet")
    set_up(made)
    yield made
    multiprocessing.get_context = context
    os.environ.clear()
    os.environ.update(variables)


@pytest.mark.parametrize("number", range(len(RECIPES)), ids=[recipe.name for recipe in RECIPES])
def test_a_folder_gives_nnunets_answer(number, root):
    result = compare(number, root)
    assert result["good"], result
