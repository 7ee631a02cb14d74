"""Teaching U-Nets the way nnU-Net does: everything between a preprocessed case and a trained network."""
