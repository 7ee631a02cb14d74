"""Sample data of our own in Slicer's module Sample Data: a phantom head, and the same with its lesions marked.

They are downloaded from the repository's releases and checked; where that is not possible they are made on the spot,
which gives the same lesions, and the same image but for fewer than one voxel in ten thousand that differ by 1, since
processors' arithmetic differs in the last digit.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import slicer.util

from mtann.errors import MTANNError
from mtann.volume import Volume

from .Library import libraryModule
from .Translation import _
from .VolumeAdapter import LABEL_MAP_CLASS, SCALAR_CLASS, nodeFromVolume

if TYPE_CHECKING:
    from mtann.phantoms.head import Phantom

CATEGORY = "MTANNDetect"
HEAD_SAMPLE, LABELLED_SAMPLE = "MTANNPhantomHead", "MTANNPhantomHeadLabelled"
RELEASE = "https://github.com/MTANNDetect/SlicerMTANNDetect/releases/download/SampleData-1"
SEED = 0
FILES = {
    "mtann-phantom-head.nii.gz": "SHA256:229d02ef1b34b150a99b1e5952e8af6b381b68d6c68dbcd0262b1a81eece648e",
    "mtann-phantom-head-lesions.nii.gz": "SHA256:c0ef8397edfd5fe83c416d72337b612d79d66b021df29bce59b99290cb337c57",
}
"""The files of the release with their checksums; ``python Testing/devtools/sample_data.py`` makes them."""

_HEAD, _LESIONS = FILES
_NODE_NAMES = {_HEAD: "PhantomHead", _LESIONS: "PhantomHead lesions"}
_CLASSES = {_HEAD: SCALAR_CLASS, _LESIONS: LABEL_MAP_CLASS}
_SAMPLES = {HEAD_SAMPLE: (_HEAD,), LABELLED_SAMPLE: (_HEAD, _LESIONS)}


def registerSampleData(*_arguments: Any) -> None:
    """Put our samples on the list of the module Sample Data. To be called once the application has started."""
    from SampleData import SampleDataLogic  # It is there only once Slicer's modules are loaded.

    for name, files in _SAMPLES.items():
        SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            uris=[f"{RELEASE}/{file}" for file in files],
            fileNames=list(files),
            nodeNames=[_NODE_NAMES[file] for file in files],
            loadFileType=["VolumeFile"] * len(files),
            checksums=[FILES[file] for file in files],
            customDownloader=loadSample,
        )


def loadSample(source: Any) -> list[Any]:
    """Load a registered sample into the scene, downloaded or, where that fails, made here; returns its nodes.

    Raises:
        MTANNError: It can be neither downloaded nor made.
    """
    files = tuple(source.fileNames)
    try:
        return _downloaded(source)
    except (OSError, ValueError, RuntimeError) as error:
        slicer.util.showStatusMessage(_("No download ({error}); making the phantom here…").format(error=error), 5000)
        return makeSample(files)


def makeSample(files: tuple[str, ...] = (_HEAD, _LESIONS)) -> list[Any]:
    """Make the named files' images in the scene, without a download; returns the nodes.

    Raises:
        MTANNError: A package that it needs is not installed.
    """
    volumes = sampleVolumes(libraryModule("mtann.phantoms.head").head_phantom(SEED))
    return [nodeFromVolume(volumes[file], _NODE_NAMES[file], _CLASSES[file]) for file in files]


def sampleVolumes(phantom: "Phantom") -> dict[str, Volume]:
    """A phantom as the sample files' volumes, by file name; whole numbers."""
    image = phantom.volume.with_array(np.round(phantom.volume.array).astype(np.int16))
    return {_HEAD: image, _LESIONS: phantom.labels}


def _downloaded(source: Any) -> list[Any]:
    from SampleData import SampleDataLogic

    logic = SampleDataLogic()
    paths = [
        logic.downloadFileIntoCache(uri, file, checksum)
        for uri, file, checksum in zip(source.uris, source.fileNames, source.checksums, strict=True)
    ]
    nodes = []
    for path, file in zip(paths, source.fileNames, strict=True):
        load = slicer.util.loadVolume if _CLASSES[file] == SCALAR_CLASS else slicer.util.loadLabelVolume
        nodes.append(load(str(path), {"name": _NODE_NAMES[file]}))
    if None in nodes:
        raise MTANNError(_("A downloaded sample could not be read."))
    return nodes
