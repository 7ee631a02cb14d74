"""Our sample data: registered with checksums, downloaded where possible, made here where not; the same voxels."""

import json
import sys
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

import slicer
import slicer.util

from devtools import sample_data
from mtann.phantoms.head import head_phantom
from mtann.volume_io import read_volume
from MTANNDetectLib import SampleImages
from MTANNDetectLib.SampleImages import FILES, SEED, registerSampleData, sampleVolumes
from MTANNDetectLib.VolumeAdapter import LABEL_MAP_CLASS, SCALAR_CLASS, nodeFromVolume

pytestmark = pytest.mark.slicer

HEAD, LESIONS = FILES
MOST_DIFFERENCE = 10
"""Of the sum of a slice: so many voxels more are rounded up than down. Another noise changes it by far more."""


class SampleData:
    """Stands for Slicer's module: remembers sources, and has or has not a network."""

    sources: ClassVar[dict[str, types.SimpleNamespace]] = {}
    folder = None

    @classmethod
    def registerCustomSampleDataSource(cls, **source):
        cls.sources[source["sampleName"]] = types.SimpleNamespace(**source)

    def downloadFileIntoCache(self, uri, name, checksum):
        assert checksum == FILES[name]
        if self.folder is None:
            raise ValueError(f"Failed to download {uri}")
        return self.folder / name


@pytest.fixture
def samples(monkeypatch, scene):
    monkeypatch.setattr(SampleData, "sources", {})
    monkeypatch.setattr(SampleData, "folder", None)
    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=SampleData))
    monkeypatch.setattr(slicer.util, "showStatusMessage", lambda *arguments: None, raising=False)
    registerSampleData()
    return SampleData


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    return folder, sample_data.make_files(folder)


def test_both_samples_are_registered_with_addresses_and_checksums(samples):
    assert list(samples.sources) == ["MTANNPhantomHead", "MTANNPhantomHeadLabelled"]
    for source in samples.sources.values():
        assert len(source.uris) == len(source.fileNames) == len(source.nodeNames) == len(source.checksums)
        assert all(uri.startswith("https://github.com/MTANNDetect/SlicerMTANNDetect/releases/") for uri in source.uris)
        assert [uri.rpartition("/")[2] for uri in source.uris] == source.fileNames


@pytest.mark.slow
def test_the_checksums_are_those_of_the_files_that_the_release_is_made_of(files):
    """The head's differs by processor, so the head is compared with the sums of slices of the file in the release."""
    folder, checksums = files
    assert checksums[LESIONS] == FILES[LESIONS]
    known = json.loads((Path(__file__).parent / sample_data.SUMS).read_text("utf-8"))
    assert known["checksum"] == FILES[HEAD]
    made = sample_data.slice_sums(np.asarray(read_volume(folder / HEAD).array))
    for own, released in zip(made, known["slices"], strict=True):
        assert np.abs(np.subtract(own, released)).max() <= MOST_DIFFERENCE


@pytest.mark.slow
def test_without_a_network_the_same_voxels_are_made_here(samples, files, scene):
    made = SampleImages.loadSample(samples.sources["MTANNPhantomHeadLabelled"])
    assert [node.GetName() for node in made] == ["PhantomHead", "PhantomHead lesions"]
    assert [node.GetClassName() for node in made] == ["vtkMRMLScalarVolumeNode", "vtkMRMLLabelMapVolumeNode"]
    for node, name in zip(made, FILES, strict=True):
        downloaded = nodeFromVolume(read_volume(files[0] / name), "downloaded", node.GetClassName())
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), slicer.util.arrayFromVolume(downloaded))
        np.testing.assert_allclose(node.GetOrigin(), downloaded.GetOrigin())
        np.testing.assert_allclose(node.GetSpacing(), downloaded.GetSpacing())
    assert np.unique(slicer.util.arrayFromVolume(made[1])).tolist() == list(range(9))


@pytest.mark.slow
def test_with_a_network_the_files_are_loaded(samples, files, scene, monkeypatch):
    monkeypatch.setattr(SampleData, "folder", files[0])
    for name, kind in (("loadVolume", SCALAR_CLASS), ("loadLabelVolume", LABEL_MAP_CLASS)):
        monkeypatch.setattr(slicer.util, name, loader(kind))
    monkeypatch.setattr(SampleImages, "makeSample", lambda files: pytest.fail("made in spite of the download"))
    head, lesions = SampleImages.loadSample(samples.sources["MTANNPhantomHeadLabelled"])
    assert (head.GetName(), lesions.GetName()) == ("PhantomHead", "PhantomHead lesions")
    assert (head.GetClassName(), lesions.GetClassName()) == (SCALAR_CLASS, LABEL_MAP_CLASS)
    assert slicer.util.arrayFromVolume(head).shape == (140, 175, 140)


def loader(kind):
    """Stands for slicer.util.loadVolume, which needs the application."""

    def load(path, properties):
        return nodeFromVolume(read_volume(path), properties["name"], kind)

    return load


def test_the_demonstration_models_head_is_not_among_its_training_heads():
    assert SEED < 1000  # It was taught on seeds from 1000.
    phantom = head_phantom(SEED, 3.0)
    assert sampleVolumes(phantom)[HEAD].array.dtype == np.int16
    assert sampleVolumes(phantom)[LESIONS] is phantom.labels
