"""Stand-ins for Slicer's Qt side, so that the panel runs on PySide6.

They are stricter than PySide6, in the ways in which PythonQt is: what passes here also runs in Slicer.
"""
