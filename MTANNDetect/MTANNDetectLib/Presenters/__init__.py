"""What the panel decides, without Qt: which image goes where, what to say, what may be pressed."""
