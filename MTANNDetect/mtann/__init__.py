"""MTANN: massive-training artificial neural networks that find lesions in medical images.

The library of the 3D Slicer extension MTANNDetect; it runs without Slicer. Research software, not a medical device.
Importing it is quick and needs no torch: :func:`mtann.detect`, :func:`mtann.explain` and :func:`mtann.train`
load what they need when called.
"""

import importlib
from typing import TYPE_CHECKING, Any

from mtann.version import VERSION

if TYPE_CHECKING:
    from mtann.enhancement.enhance import enhance
    from mtann.enhancement.train import train_enhancement
    from mtann.explaining import explain
    from mtann.filtering import filter_candidates
    from mtann.pipeline import detect
    from mtann.segmentation.segment import segment
    from mtann.teach import train
    from mtann.unets.two_stage import detect_then_segment

__version__ = VERSION
__all__ = [
    "__version__",
    "detect",
    "detect_then_segment",
    "enhance",
    "explain",
    "filter_candidates",
    "segment",
    "train",
    "train_enhancement",
]

_LAZY = {
    "detect": "mtann.pipeline",
    "detect_then_segment": "mtann.unets.two_stage",
    "enhance": "mtann.enhancement.enhance",
    "explain": "mtann.explaining",
    "filter_candidates": "mtann.filtering",
    "segment": "mtann.segmentation.segment",
    "train": "mtann.teach",
    "train_enhancement": "mtann.enhancement.train",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mtann' has no attribute '{name}'; it has {', '.join(__all__)}")
