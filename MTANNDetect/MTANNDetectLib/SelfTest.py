"""A short test for the running application; the full tests run outside of it, in Testing/slicer."""

import unittest

import numpy as np
import slicer
import slicer.util

from mtann.errors import ImageError

from .VolumeAdapter import nodeFromVolume, volumeFromNode


def runSelfTest(case: unittest.TestCase) -> None:
    """Take an oblique volume to the library and back, and make sure that a bad input is refused."""
    slicer.mrmlScene.Clear(0)
    ijkToRas = np.array([[0.0, -0.8, 0.0, 5.0], [0.6, 0.0, 0.0, -7.0], [0.0, 0.0, 2.0, 11.0], [0.0, 0.0, 0.0, 1.0]])
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    node = slicer.util.addVolumeFromArray(array, ijkToRas, "input")
    volume = volumeFromNode(node)
    back = volumeFromNode(nodeFromVolume(volume, "output"))
    case.assertTrue(back.geometry.matches(volume.geometry))
    case.assertTrue(np.array_equal(back.array, array))
    with case.assertRaises(ImageError):
        volumeFromNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))
