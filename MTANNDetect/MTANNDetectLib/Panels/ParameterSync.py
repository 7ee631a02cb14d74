"""The panel's choices and the parameter node, in both directions."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..Parameters import PanelParameters

if TYPE_CHECKING:
    from ..Widget import DetectPanel

_SELECTORS = {"mask": "maskSelector", "roi": "roiSelector", "landmarks": "landmarksSelector"}


class ParameterSync:
    """Stores the panel's choices whenever they change, and puts them back when a scene was opened.

    Args:
        panel: The panel.
        parameterNode: Gives the scene's parameter node; another one once a scene was closed.
    """

    def __init__(self, panel: "DetectPanel", parameterNode: Callable[[], Any]) -> None:
        self._panel = panel
        self._parameterNode = parameterNode
        self._restoring = True
        """Until the first :meth:`restore`, what stands in the panel is nobody's choice."""

    def store(self) -> None:
        """Keep what is chosen now."""
        if self._restoring:
            return
        panel, kept = self._panel, PanelParameters(self._parameterNode())
        kept.model = str(panel.inputs.model.directory) if panel.inputs.model else ""
        for row, (_label, selector, _note) in enumerate(panel.inputs.rows):
            setattr(kept, f"channel{row}", selector.currentNode())
        for name, selector in _SELECTORS.items():
            setattr(kept, name, getattr(panel.ui, selector).currentNode())
        kept.result = panel.results.session.nodes.tableNode if panel.results.session else None
        kept.task = panel.run.task
        kept.operatingPoint = panel.run.point.name if panel.run.point else ""
        kept.threshold = panel.ui.thresholdEdit.text
        kept.device = panel.run.device
        kept.precision = panel.ui.precisionSelector.currentText
        kept.unet = str(panel.run.unet.directory) if panel.run.unet else ""
        kept.diameterMm = float(panel.ui.diameterBox.value)

    def restore(self) -> None:
        """Choose what was kept, as far as it is still there."""
        panel, kept = self._panel, PanelParameters(self._parameterNode())
        self._restoring = True
        try:
            if not kept.model:
                return
            panel.inputs.chooseModel(kept.model)
            for row, (_label, selector, _note) in enumerate(panel.inputs.rows):
                if node := getattr(kept, f"channel{row}"):
                    selector.setCurrentNode(node)
            for name, selector in _SELECTORS.items():
                getattr(panel.ui, selector).setCurrentNode(getattr(kept, name))
            panel.run.choose(kept.task, kept.operatingPoint, kept.device, kept.precision)
            panel.run.chooseUnet(kept.unet)
            panel.ui.thresholdEdit.text = kept.threshold
            panel.ui.diameterBox.value = kept.diameterMm
            if kept.result is not None:
                panel.ui.resultSelector.setCurrentNode(kept.result)
        finally:
            self._restoring = False
