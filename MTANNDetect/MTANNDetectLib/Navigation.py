"""Moving the views to a place, and placing points in them."""

from collections.abc import Sequence

import slicer

_PLACED = "MTANNDetect.placed"


def jumpTo(worldRas: Sequence[float]) -> None:
    """Move all slice views to a place, and turn the 3-D views about it."""
    r, a, s = (float(value) for value in worldRas)
    mode = slicer.vtkMRMLSliceNode.CenteredJumpSlice
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, r, a, s, mode)
    count = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLCameraNode")
    for index in range(count):
        camera = slicer.mrmlScene.GetNthNodeByClass(index, "vtkMRMLCameraNode")
        former, position = camera.GetFocalPoint(), camera.GetPosition()
        camera.SetFocalPoint(r, a, s)
        camera.SetPosition(*(p + new - old for p, new, old in zip(position, (r, a, s), former, strict=True)))


def crosshairRas() -> tuple[float, float, float] | None:
    """Where the crosshair stands; None where there is none."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    return None if node is None else tuple(node.GetCrosshairRAS())


def startPlacing() -> slicer.vtkMRMLMarkupsFiducialNode:
    """Let the next click in a view place a point in a list of its own, which is given back."""
    node = slicer.mrmlScene.GetFirstNodeByName(_PLACED)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", _PLACED)
        node.CreateDefaultDisplayNodes()
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
    selection = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSelectionNode")
    interaction = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    if selection is not None and interaction is not None:
        selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsFiducialNode")
        selection.SetActivePlaceNodeID(node.GetID())
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.Place)
    return node


def takePlaced(node: slicer.vtkMRMLMarkupsFiducialNode) -> tuple[float, float, float] | None:
    """The point that was placed, in world RAS millimetres; the list is empty afterwards."""
    if not node.GetNumberOfControlPoints():
        return None
    place = [0.0, 0.0, 0.0]
    node.GetNthControlPointPositionWorld(node.GetNumberOfControlPoints() - 1, place)
    node.RemoveAllControlPoints()
    return tuple(place)
