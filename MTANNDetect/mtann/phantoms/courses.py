"""Where the named vessels of the head run: rows of x, y, z and radius (mm, template space, left side)."""

Node = tuple[float, float, float, float]
Course = tuple[Node, ...]

TORCULA = (0.0, 77.0, -13.0)
"""Where the sinuses meet, at the back of the head."""

STRAIGHT_SINUS: Course = ((0, 36, 2, 1.5), (0, 50, -4, 1.6), (0, 64, -9, 1.8), (*TORCULA, 2.0))

TRANSVERSE_SINUS: Course = (
    (*TORCULA, 1.0),
    (18, 76, -20, 1.0),
    (36, 63, -24, 1.0),
    (47, 45, -25.5, 1.0),
    (45, 32, -34, 1.0),
    (36, 27, -46, 1.0),
)
"""Radii relative to the sinus's size: one side is usually much larger."""

BASILAR_ARTERY: Course = ((3, 14, -66, 1.3), (0, -4, -50, 1.6), (0, -8, -36, 1.7), (0, -5, -21, 1.8))

_CAROTID_END = (9, -17, -17)
_SYLVIAN_START = (34, -6, -9)

PAIRED_ARTERIES: tuple[Course, ...] = (
    # Internal carotid and middle cerebral artery as far as its division, then four branches over the insula.
    (
        (8, -16, -29, 2.0),
        (9, -12, -22, 2.0),
        (*_CAROTID_END, 1.9),
        (18, -15, -14, 1.7),
        (29, -12, -12, 1.6),
        (*_SYLVIAN_START, 1.4),
    ),
    ((*_SYLVIAN_START, 1.3), (35, 2, -3, 1.1), (37, 12, 2, 1.0), (46, 20, 4, 1.0), (58, 24, 5, 0.8)),
    ((*_SYLVIAN_START, 1.2), (33, -4, 1, 1.0), (34, 6, 7, 0.9), (43, 10, 1, 0.9), (57, 12, 1, 0.8)),
    ((*_SYLVIAN_START, 1.2), (36, 4, -7, 1.1), (40, 14, -1, 1.0), (52, 16, 1, 0.9)),
    ((*_SYLVIAN_START, 1.2), (33, -12, -2, 1.0), (36, -18, -7, 0.9), (50, -18, -11, 0.9), (58, -14, -12, 0.8)),
    # Anterior cerebral artery round the callosum, and a frontal branch.
    (
        (*_CAROTID_END, 1.5),
        (2, -24, -13, 1.4),
        (1, -36, -6, 1.2),
        (1, -42, 6, 1.2),
        (1, -34, 21, 1.1),
        (1.2, -14, 29, 1.0),
        (1.4, 8, 31, 0.8),
    ),
    ((1, -40, 0, 1.1), (1.2, -54, 4, 1.0), (1.4, -64, 16, 0.8)),
    # Posterior cerebral artery round the midbrain to the occipital lobe.
    (
        (0, -5, -21, 1.5),
        (10, -1, -20, 1.4),
        (17, 10, -20, 1.3),
        (19, 24, -12, 1.2),
        (14, 40, -7, 1.1),
        (10, 58, -4, 0.9),
        (6, 70, 2, 0.8),
    ),
    # Inferior and superior cerebellar arteries.
    ((1, -8, -38, 1.1), (16, 0, -42, 0.9), (30, 18, -44, 0.9), (42, 34, -50, 0.8)),
    ((0, -6, -23, 1.0), (14, 4, -22, 0.9), (18, 24, -17, 0.9), (12, 42, -14, 0.8)),
)

PAIRED_DEEP_VEINS: tuple[Course, ...] = (
    # Internal cerebral vein, thalamostriate vein, basal vein.
    ((7, -10, 12, 0.8), (2, -6, 10, 0.9), (2, 8, 12, 1.0), (2, 24, 11, 1.1), (0, 36, 2, 1.5)),
    ((17, 12, 17, 0.7), (12, -2, 13, 0.8), (7, -10, 12, 0.8)),
    ((14, -10, -18, 0.8), (19, 8, -15, 0.9), (15, 24, -4, 1.0), (0, 36, 2, 1.2)),
)
