"""Arrays of others, and weights where they lie: NumPy, DLPack and torch meet here, without copies."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from . import _ffi

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._handle import Owner

_CPU = 1  # DLPack's kDLCPU


def as_numpy(x: Any) -> NDArray[Any]:
    """`x` as a NumPy array on the same memory, if that can be: arrays, torch tensors (of gradients
    only the values), whatever has `__array__` or `__dlpack__`; lists are copied."""
    if isinstance(x, np.ndarray):
        return x
    detach = getattr(x, "detach", None)  # a torch tensor that takes gradients refuses both protocols
    if callable(detach):
        x = detach()
    place = getattr(x, "__dlpack_device__", None)
    if place is not None:
        kind = int(place()[0])
        if kind != _CPU:
            raise _ffi.ArgumentError(_ffi.ARG, f"the array is on a device of DLPack type {kind}; move it to the CPU")
    if place is not None and not hasattr(x, "__array__"):
        return np.from_dlpack(x)
    return np.asarray(x)


def fits_out(x: Any, shape: tuple[int, ...]) -> Optional[NDArray[np.float32]]:
    """`x` as an array that the library may write to, or None."""
    if not (isinstance(x, np.ndarray) or hasattr(x, "data_ptr")):
        return None  # another's __array__ may be a copy
    a = as_numpy(x)
    fits = a.shape == shape and a.dtype == np.float32 and a.flags.c_contiguous and a.flags.writeable
    return a if fits else None


class Weight:
    """A weight where it lies in its graph: float32, row-major, not copied, not to be written to.

    Takes part in NumPy (`__array__`, read-only) and DLPack (`torch.from_dlpack(w)`). While it or an
    array made from it is alive, the graph cannot be fused, trained or re-estimated in place; copies
    of the graph can. DLPack of today has no read-only flag: do not write to what it gives.

    >>> g = rescomp.Graph.create("resnet8")
    >>> w = g.view(next(iter(g.weights())))
    >>> w.shape
    (16, 3, 3, 3)
    >>> np.shares_memory(np.asarray(w), np.asarray(w))
    True
    """

    def __init__(self, owner: Owner, name: str) -> None:
        """Use Graph.view() or Graph.weights() instead."""
        array = _ffi.weight_view(owner, name)
        if array is None:
            raise _ffi.ArgumentError(_ffi.ARG, f"{name} is not a float constant")
        self._array = array
        #: the name in the graph
        self.name = name

    @property
    def shape(self) -> tuple[int, ...]:
        """Such as (filters, channels / groups, height, width) of a convolution."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32."""
        return self._array.dtype

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> NDArray[Any]:
        view = self._array.view()
        view.flags.writeable = False
        if dtype is not None and np.dtype(dtype) != view.dtype:
            if copy is False:
                raise ValueError(f"{self.name} is float32: another type needs a copy")
            return view.astype(dtype)
        return view.copy() if copy else view

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None,
                   copy: Optional[bool] = None) -> Any:
        return (self._array.copy() if copy else self._array).__dlpack__(stream=stream)

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CPU, 0

    def __len__(self) -> int:
        return len(self._array)

    def __repr__(self) -> str:
        return f"<rescomp.Weight {self.name}, float32 {self.shape}>"
