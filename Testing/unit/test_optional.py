"""Packages that may be absent: found, missing, and broken."""

import sys

import pytest

from mtann.errors import MissingPackageError
from mtann.optional import require


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes a package of some code that can be imported in this test only."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(name, code):
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    yield make
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


def test_a_package_that_is_there_is_given(package):
    assert require(package("there_it_is", "VALUE = 7"), "Testing").VALUE == 7


def test_a_missing_package_is_named_with_what_needs_it_and_how_to_get_it():
    with pytest.raises(MissingPackageError, match=r"^Testing needs .*'not_there_at_all'.*pip install other-name$"):
        require("not_there_at_all", "Testing", install="other-name")


def test_a_package_that_cannot_be_loaded_is_told_with_its_own_words(package):
    name = package("broken_one", "raise ImportError('no such part')")
    with pytest.raises(MissingPackageError, match="no such part"):
        require(name, "Testing")
