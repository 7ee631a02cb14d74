"""Slicer's own slice and 3-D views, off screen, in one picture."""

from pathlib import Path

import numpy as np
import slicer
import vtk
from trame_slicer.core import SlicerApp
from trame_slicer.views import DirectViewFactory, ViewLayoutDefinition
from vtk.util import numpy_support

_GAP_PIXELS = 4
_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))


class Views:
    """A scene with an axial, a 3-D, a coronal and a sagittal view."""

    def __init__(self, tile_pixels: tuple[int, int]) -> None:
        self._app = SlicerApp()
        self.scene = self._app.scene
        manager = self._app.view_manager
        manager.register_factory(DirectViewFactory(do_render_offscreen=True))
        self._slices = {
            name: manager.create_view(make())
            for name, make in (
                ("Axial", ViewLayoutDefinition.axial_view),
                ("Coronal", ViewLayoutDefinition.coronal_view),
                ("Sagittal", ViewLayoutDefinition.sagittal_view),
            )
        }
        self._solid = manager.create_view(ViewLayoutDefinition.threed_view(background_color=("#000000", "#1c2430")))
        for view in (*self._slices.values(), self._solid):
            view.render_window().SetSize(*tile_pixels)
            view.render_window().SetMultiSamples(0)

    def show(self, image: slicer.vtkMRMLScalarVolumeNode, found: object) -> None:
        """Show a detection's nodes: the likelihood over the image, the segments, and the points with their scores."""
        _setWindow(image)
        found.segmentationNode.CreateClosedSurfaceRepresentation()
        display = found.segmentationNode.GetDisplayNode()
        display.SetOpacity2DFill(0.0)
        display.SetSliceIntersectionThickness(2)
        brain = _brainSurface(image)
        point = np.zeros(3)
        if found.markupsNode.GetNumberOfControlPoints():
            found.markupsNode.GetNthControlPointPositionWorld(0, point)
        for name, view in self._slices.items():
            view.set_background_volume_id(image.GetID())
            view.set_foreground_volume_id(found.likelihoodNode.GetID())
            view.set_foreground_opacity(0.6)
            view.fit_view_to_content()
            _jumpTo(view, point)
            _annotate(view, name)
        brain.GetDisplayNode().SetVisibility2D(False)
        self._solid.fit_view_to_content()
        camera = self._solid.renderer().GetActiveCamera()
        camera.Azimuth(40)
        camera.Elevation(20)
        self._solid.renderer().ResetCamera(brain.GetPolyData().GetBounds())
        camera.Zoom(1.75)
        solidNode = slicer.mrmlScene.GetNodeByID(self._solid.get_view_node_id())
        solidNode.SetOrientationMarkerType(slicer.vtkMRMLAbstractViewNode.OrientationMarkerTypeCube)
        _addLegend(found.likelihoodNode, self._slices["Axial"])

    def tiles(self) -> dict[str, np.ndarray]:
        """Each view's pixels by its name; the 3-D view is called "3-D"."""
        return {**{name: _pixels(view) for name, view in self._slices.items()}, "3-D": _pixels(self._solid)}

    def write(self, path: Path) -> None:
        """Write all views as one picture."""
        tiles = [
            _pixels(view)
            for view in (self._slices["Axial"], self._solid, self._slices["Coronal"], self._slices["Sagittal"])
        ]
        gap = np.full((tiles[0].shape[0], _GAP_PIXELS, 3), 60, np.uint8)
        rows = [np.hstack([left, gap, right]) for left, right in (tiles[:2], tiles[2:])]
        line = np.full((_GAP_PIXELS, rows[0].shape[1], 3), 60, np.uint8)
        _writePng(np.vstack([rows[0], line, rows[1]]), path)


def _setWindow(image: slicer.vtkMRMLScalarVolumeNode) -> None:
    array = slicer.util.arrayFromVolume(image)
    low, high = np.percentile(array[array > array.min()], (0.5, 99.7))
    display = image.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(min(0.0, float(low)), float(high))
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")


def _brainSurface(image: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLModelNode:
    """The head's outline as a faint surface, so that the candidates can be seen within it."""
    smooth = vtk.vtkImageGaussianSmooth()
    smooth.SetInputData(image.GetImageData())
    smooth.SetStandardDeviations(2, 2, 2)
    smooth.Update()
    surface = vtk.vtkFlyingEdges3D()
    surface.SetInputConnection(smooth.GetOutputPort())
    surface.ComputeScalarsOff()
    array = slicer.util.arrayFromVolume(image)
    surface.SetValue(0, float(np.percentile(array[array > array.min()], 50)) * 0.45)
    toRas, matrix = vtk.vtkTransform(), vtk.vtkMatrix4x4()
    image.GetIJKToRASMatrix(matrix)
    toRas.SetMatrix(matrix)
    place = vtk.vtkTransformPolyDataFilter()
    place.SetTransform(toRas)
    place.SetInputConnection(surface.GetOutputPort())
    largest = vtk.vtkPolyDataConnectivityFilter()
    largest.SetExtractionModeToLargestRegion()
    largest.SetInputConnection(place.GetOutputPort())
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(largest.GetOutputPort())
    normals.SetFeatureAngle(120)
    normals.Update()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "brain")
    node.SetAndObservePolyData(normals.GetOutput())
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetColor(0.75, 0.78, 0.82)
    node.GetDisplayNode().SetOpacity(0.22)
    return node


def _jumpTo(view: object, pointRas: np.ndarray) -> None:
    node = slicer.mrmlScene.GetNodeByID(view.get_view_node_id())
    node.JumpSliceByOffsetting(*pointRas)


def _annotate(view: object, name: str) -> None:
    """The plane's name, and the letters of its directions, read from the view itself."""
    axes = slicer.mrmlScene.GetNodeByID(view.get_view_node_id()).GetSliceToRAS()
    right, top = (_letters([axes.GetElement(row, column) for row in range(3)]) for column in (0, 1))
    annotation = vtk.vtkCornerAnnotation()
    annotation.SetText(vtk.vtkCornerAnnotation.UpperLeft, name)
    annotation.SetText(vtk.vtkCornerAnnotation.RightEdge, right[1])
    annotation.SetText(vtk.vtkCornerAnnotation.LeftEdge, right[0])
    annotation.SetText(vtk.vtkCornerAnnotation.UpperEdge, top[1])
    annotation.SetText(vtk.vtkCornerAnnotation.LowerEdge, top[0])
    annotation.SetMaximumFontSize(20)
    annotation.SetMinimumFontSize(16)
    annotation.GetTextProperty().SetColor(0.95, 0.95, 0.95)
    annotation.GetTextProperty().SetShadow(True)
    view.renderers()[-1].AddViewProp(annotation)


def _letters(directionRas: list[float]) -> tuple[str, str]:
    """The letters behind and ahead of someone who looks along a direction."""
    axis = int(np.argmax(np.abs(directionRas)))
    behind, ahead = _LETTERS[axis]
    return (behind, ahead) if directionRas[axis] > 0 else (ahead, behind)


def _addLegend(node: slicer.vtkMRMLScalarVolumeNode, view: object) -> None:
    slicer.mrmlScene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(node)
    legend.SetTitleText("Likelihood")
    legend.SetNumberOfLabels(5)
    legend.SetLabelFormat("%.2f")
    legend.SetPosition(0.98, 0.04)
    legend.SetSize(0.1, 0.38)
    legend.SetViewNodeIDs([view.get_view_node_id()])


def _pixels(view: object) -> np.ndarray:
    view.render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(view.render_window())
    grab.ReadFrontBufferOff()
    grab.Update()
    image = grab.GetOutput()
    width, height, _ = image.GetDimensions()
    scalars = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return scalars.reshape(height, width, -1)[::-1, :, :3]


def _writePng(pixels: np.ndarray, path: Path) -> None:
    image = vtk.vtkImageData()
    image.SetDimensions(pixels.shape[1], pixels.shape[0], 1)
    flat = np.ascontiguousarray(pixels[::-1]).reshape(-1, 3)
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(flat, deep=True))
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    writer.Write()


def readPng(path: Path) -> np.ndarray:
    """A picture's pixels, rows from the top."""
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    width, height, _ = reader.GetOutput().GetDimensions()
    scalars = numpy_support.vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars())
    return scalars.reshape(height, width, -1)[::-1, :, :3]
