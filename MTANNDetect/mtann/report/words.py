"""How numbers are put into words for a reader of images, the same in pictures and reports."""

from mtann.detection.candidate import Candidate
from mtann.geometry import Triple

_SIDES = (("L", "R"), ("P", "A"), ("S", "I"))


def position_words(point_lps_mm: Triple) -> str:
    """A place by side, such as ``"R 34.2  A 12.0  S 45.1 mm"``, from the scanner's zero point."""
    return "  ".join(side_words(point_lps_mm, axis) for axis in range(3)) + " mm"


def side_words(point_lps_mm: Triple, axis: int) -> str:
    """One coordinate by side, such as ``"R 34.2"`` for x (axis 0) = -34.2 mm in LPS."""
    value = round(point_lps_mm[axis], 1)
    return f"{_SIDES[axis][int(value < 0)]} {abs(value):.1f}"


def diameter_words(candidate: Candidate) -> str:
    """Axial diameters, such as ``"12.3 × 9.8 mm"``."""
    return f"{candidate.axial_diameter_mm:.1f} × {candidate.perpendicular_diameter_mm:.1f} mm"


def volume_words(candidate: Candidate) -> str:
    """Volume, such as ``"1440 mm³"``: in one unit, so that sizes in a list compare at a glance."""
    return f"{candidate.volume_mm3:.0f} mm³"


def millilitre_words(volume_mm3: float) -> str:
    """A label's volume, such as ``"12.34 mL"``; small ones to a cubic millimetre, such as ``"0.045 mL"``."""
    millilitres = volume_mm3 / 1000
    return f"{millilitres:.3f} mL" if 0 < millilitres < 0.1 else f"{millilitres:.2f} mL"


def count_words(number: int, noun: str) -> str:
    """A count with its noun, such as ``"1 candidate"`` or ``"3 candidates"``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def signed_words(value: float) -> str:
    """A change, such as ``"+0.123"`` or ``"−0.050"``; ``"0"`` for none."""
    return "0" if value == 0 else f"{value:+.3f}".replace("-", "−")


def p_words(p: float) -> str:
    """A test's p, such as ``"0.063"``; a small one as ``"below 0.001"``."""
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def probability_words(probability: float) -> str:
    """A calibrated probability, such as ``"62 %"``: never certain, since it was learnt from a limited number."""
    percent = round(100 * probability)
    return "< 1 %" if percent < 1 else "> 99 %" if percent > 99 else f"{percent} %"
