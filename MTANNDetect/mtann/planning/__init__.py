"""From a data set to a plan: measuring it, and deriving every decision about a U-Net from what was measured."""
