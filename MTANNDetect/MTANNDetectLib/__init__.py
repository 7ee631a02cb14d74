"""The Slicer side of MTANNDetect: nodes to volumes, results to nodes, logic and panel.

Nothing here needs more than Slicer's own packages to be imported; the library's other needs are loaded when used.
"""
