"""``slicer.parameterNodeWrapper`` as far as the module uses it: typed attributes over a scripted module node."""

import types
from typing import Any

import slicer

_TEXTS = {str: str, float: float, int: int, bool: lambda text: text == "True"}


def parameterNodeWrapper(kind: type) -> type:
    """A class whose annotated attributes live in a parameter node; an unknown attribute or wrong type raises."""
    fields = dict(kind.__annotations__)
    for name, wanted in fields.items():
        if wanted not in _TEXTS and not (isinstance(wanted, type) and issubclass(wanted, slicer.vtkMRMLNode)):
            raise TypeError(f"no connector for {name}: {wanted}")
    defaults = {name: getattr(kind, name) for name in fields if hasattr(kind, name)}
    return type(kind.__name__, (_Wrapped,), {"_fields": fields, "_defaults": defaults})


class _Wrapped:
    _fields: dict[str, type]
    _defaults: dict[str, Any]

    def __init__(self, node: Any) -> None:
        if node is None:
            raise ValueError("a parameter node is needed")
        object.__setattr__(self, "parameterNode", node)

    def _type(self, name: str) -> type:
        if name not in self._fields:
            raise AttributeError(f"{type(self).__name__} has no parameter '{name}'")
        return self._fields[name]

    def __getattr__(self, name: str) -> Any:
        wanted = self._type(name)
        if wanted not in _TEXTS:
            return self.parameterNode.GetNodeReference(name)
        text = self.parameterNode.GetParameter(name)
        return _TEXTS[wanted](text) if text else self._defaults.get(name, wanted())

    def __setattr__(self, name: str, value: Any) -> None:
        wanted = self._type(name)
        if (value is not None and not isinstance(value, wanted)) or (value is None and wanted in _TEXTS):
            raise TypeError(f"{name} takes a {wanted.__name__}, not {value!r}")
        if wanted not in _TEXTS:
            self.parameterNode.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        else:
            self.parameterNode.SetParameter(name, str(value))


def parameterNodeWrapperModule() -> types.ModuleType:
    """The module to stand in ``sys.modules``."""
    module = types.ModuleType("slicer.parameterNodeWrapper")
    module.parameterNodeWrapper = parameterNodeWrapper
    return module
