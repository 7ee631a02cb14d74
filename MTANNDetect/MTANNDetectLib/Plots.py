"""A FROC curve as one of Slicer's plots."""

from collections.abc import Sequence

import slicer
import vtk

from .Translation import _

_RATE, _SENSITIVITY = _("False alarms a case"), _("Sensitivity")


def frocPlot(fpPerCase: Sequence[float], sensitivity: Sequence[float], name: str, seen: bool) -> object:
    """Add a FROC curve to the scene: a table, a series and the chart, which is given back.

    Args:
        fpPerCase: False alarms a case, one a threshold from high to low.
        sensitivity: Share of lesions found at each, 0 to 1.
        name: What the model is called.
        seen: Whether the cases were those that the model learnt from.
    """
    scene = slicer.mrmlScene
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", scene.GenerateUniqueName(f"{name} FROC"))
    for title, values in ((_RATE, [0.0, *fpPerCase]), (_SENSITIVITY, [0.0, *sensitivity])):
        column = vtk.vtkDoubleArray()
        column.SetName(title)
        for value in values:
            column.InsertNextValue(value)
        table.AddColumn(column)
    series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName(_RATE)
    series.SetYColumnName(_SENSITIVITY)
    series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
    series.SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleSolid)
    series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
    series.SetColor(0.85, 0.35, 0.1)
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{name} FROC")
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    origin = _("cases it has learnt from (flatters)") if seen else _("cases it has not seen")
    chart.SetTitle(_("{name}: lesions found on {origin}").format(name=name, origin=origin))
    chart.SetXAxisTitle(_("False alarms a case"))
    chart.SetYAxisTitle(_("Share of lesions found"))
    chart.SetYAxisRangeAuto(False)
    chart.SetYAxisRange(0.0, 1.02)
    return chart


def showPlot(chart: object) -> None:
    """Show a chart in the views' layout; without the application, choose it in the plot views that there are."""
    count = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotViewNode")
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if layout is not None:
        layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView)
    for index in range(count):
        slicer.mrmlScene.GetNthNodeByClass(index, "vtkMRMLPlotViewNode").SetPlotChartNodeID(chart.GetID())
