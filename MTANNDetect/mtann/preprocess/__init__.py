"""From input images to the model's grid and intensities, and back."""
