"""Every error that a user can meet, and the two ways a run can end without a result.

A message says what happened, what was expected, what was found and what to do, in one line: front ends show it as it
is. Anything else that escapes the library is a defect of ours.
"""


class MTANNError(ValueError):
    """A problem that the user can mend; the message says how."""


class ImageError(MTANNError):
    """An image cannot be read, or is not what its place in the run needs."""


class GeometryError(MTANNError):
    """Two images do not fit together in space, or a geometry cannot be represented."""


class CasesError(MTANNError):
    """The list of cases or the lesions of a case cannot be used."""


class ModelError(MTANNError):
    """A model bundle is damaged, unknown, too new, or does not fit the input."""


class SettingsError(MTANNError):
    """A setting is outside its range or contradicts another one."""


class OutputError(MTANNError):
    """A result cannot be written where it was asked for."""


class MissingPackageError(MTANNError):
    """A feature needs a package that is not installed."""


class CancelledError(Exception):
    """The user stopped the run; nothing was written."""
