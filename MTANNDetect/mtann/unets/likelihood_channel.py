"""The likelihood of an MTANN as a further input channel of a U-Net."""

LIKELIHOOD_CHANNEL = "mtann_likelihood"
"""Name of the channel in plans and lists of cases."""
