"""Network shapes; they know nothing of training or of images."""
