"""What the user chose in the panel, kept in the scene."""

import slicer
from slicer.parameterNodeWrapper import parameterNodeWrapper


@parameterNodeWrapper
class PanelParameters:
    """The panel's choices; saving the scene saves them.

    Attributes:
        model: The model's folder.
        channel0: The image of the first channel; the others likewise.
        mask: Where to look.
        roi: Box outside of which findings are left out.
        landmarks: Named points.
        result: The table of the result that is shown.
        task: "detect", "segment" or "both".
        operatingPoint: Name of the chosen one; blank for a threshold of the user's own.
        threshold: The user's own, as typed.
        device: Where to compute.
        precision: Number format.
        unet: Folder of the U-Net that outlines what is detected; blank for none.
        diameterMm: Diameter of lesions that are added by hand.
    """

    model: str
    channel0: slicer.vtkMRMLScalarVolumeNode
    channel1: slicer.vtkMRMLScalarVolumeNode
    channel2: slicer.vtkMRMLScalarVolumeNode
    channel3: slicer.vtkMRMLScalarVolumeNode
    mask: slicer.vtkMRMLNode
    roi: slicer.vtkMRMLMarkupsROINode
    landmarks: slicer.vtkMRMLMarkupsFiducialNode
    result: slicer.vtkMRMLTableNode
    task: str
    operatingPoint: str
    threshold: str
    device: str
    precision: str
    unet: str
    diameterMm: float = 8.0
