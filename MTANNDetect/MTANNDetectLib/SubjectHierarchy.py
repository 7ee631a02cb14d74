"""Where results stand in the subject hierarchy."""

from collections.abc import Iterable

import slicer


def placeBeside(inputNode: slicer.vtkMRMLNode, nodes: Iterable[slicer.vtkMRMLNode]) -> None:
    """Put nodes under the study of the input node or, where it belongs to none, beside it."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchy is None:
        return
    parent = _studyOrParent(hierarchy, hierarchy.GetItemByDataNode(inputNode))
    for node in nodes:
        # This makes the node's item, or moves the one that Slicer has made already.
        hierarchy.CreateItem(parent, node)


def _studyOrParent(hierarchy: slicer.vtkMRMLSubjectHierarchyNode, inputItem: int) -> int:
    if inputItem == hierarchy.GetInvalidItemID():
        return hierarchy.GetSceneItemID()
    study = hierarchy.GetItemAncestorAtLevel(inputItem, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelStudy())
    return study if study != hierarchy.GetInvalidItemID() else hierarchy.GetItemParent(inputItem)
