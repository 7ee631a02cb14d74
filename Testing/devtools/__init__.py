"""What ``Testing/dev.py`` is made of. Only the standard library is used here: it runs before anything is installed."""
