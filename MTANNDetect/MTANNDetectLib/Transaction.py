"""All nodes of a result, or none."""

from collections.abc import Iterator
from contextlib import contextmanager

import slicer


@contextmanager
def allOrNothing() -> Iterator[None]:
    """Remove every node that was added to the scene inside the block, if the block fails."""
    scene = slicer.mrmlScene
    before = _nodeIds(scene)
    try:
        yield
    except BaseException:
        _removeSince(scene, before)
        raise


def _nodeIds(scene: slicer.vtkMRMLScene) -> set[str]:
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def _removeSince(scene: slicer.vtkMRMLScene, before: set[str]) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for nodeId in _nodeIds(scene) - before:
        node = scene.GetNodeByID(nodeId)
        # Removing one node takes its display and storage nodes with it; they may be gone already.
        if node is None or node is hierarchy:
            continue
        item = hierarchy.GetItemByDataNode(node) if hierarchy else 0
        scene.RemoveNode(node)
        if item:
            hierarchy.RemoveItem(item, False, False)
