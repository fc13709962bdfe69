"""What a model costs on a device: a table of times of layers."""
from __future__ import annotations

from typing import Any, Callable, Optional, Sequence, Union

from . import _ffi
from ._core import Context, Graph, Path, owner_of
from ._ffi import lib
from ._handle import Handle


class Device(Handle):
    """A table of times of layers; `predict` says what a graph that was never run there would cost. [ms, J]

    >>> g = rescomp.Graph.create("resnet8", height=8, width=8)
    >>> with rescomp.Device.profile(g, cuts=1, seconds=0.01) as device:
    ...     cost = device.predict(g)
    >>> cost["latency_ms"] > 0, cost["exact"] == cost["layers"]
    (True, True)
    """

    _free = "rc_device_free"

    def __init__(self, path: Path, *, context: Optional[Context] = None) -> None:
        """Read a table that `save` wrote, or one of another device (docs/search.md has the format)."""
        self._context = owner_of(context)
        super().__init__(self._context)
        lib.rc_device_load(self._new, self._context, _ffi.path(path))

    @classmethod
    def profile(cls, graphs: Union[Graph, Sequence[Graph]], *, name: Optional[str] = None,
                precisions: Optional[str] = None, batch: int = 0, cuts: int = 0, seconds: float = 0.0, seed: int = 0,
                watts: float = 0.0, progress: Optional[Callable[[str, float], None]] = None,
                context: Optional[Context] = None) -> Device:
        """Time the layers of `graphs`, and of `cuts` narrower copies of each, on this machine."""
        graphs = [graphs] if isinstance(graphs, Graph) else list(graphs)
        if not graphs:
            raise _ffi.ArgumentError(_ffi.ARG, "no graphs to profile")
        self = cls.__new__(cls)
        self._context = graphs[0]._context if context is None else owner_of(context)
        Handle.__init__(self, self._context)
        owners = [g._h for g in graphs]
        options = _ffi.DeviceOptions(name=name, precisions=precisions, batch=batch, cuts=cuts, seconds=seconds,
                                     seed=seed, watts=watts, progress=_ffi.device_progress(progress))
        with _ffi.interruptible():
            lib.rc_device_profile(self._new, self._context, _ffi.pointers([o.pointer for o in owners]), len(owners),
                                  options)
        return self

    def save(self, path: Path) -> None:
        """Write the table as JSON."""
        lib.rc_device_save(self._h, _ffi.path(path))

    def info(self) -> dict[str, Any]:
        """name, batch, threads, layers (kinds of them), times, watts, energy (where it is from), overhead_ms."""
        info = _ffi.DeviceInfo()
        lib.rc_device_get_info(self._h, info)
        return info.as_dict()

    def predict(self, graph: Graph) -> dict[str, Any]:
        """latency_ms of a run of the table's batch, joules of an image, layers, and how many of them are exact."""
        prediction = _ffi.DevicePrediction()
        lib.rc_device_predict(self._h, graph._h, prediction)
        return prediction.as_dict()
