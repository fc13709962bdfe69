"""Labelled images."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional, Sequence

import numpy as np

from . import _ffi
from ._arrays import as_numpy
from ._core import Context, Path, owner_of
from ._ffi import lib
from ._handle import Handle

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _options(mean: Optional[Sequence[float]] = None, std: Optional[Sequence[float]] = None, holdout: bool = False,
             resize: Optional[int] = None, skip_bad: bool = False, **others: Any) -> _ffi.DatasetOptions:
    if (mean is None) != (std is None):
        raise _ffi.ArgumentError(_ffi.ARG, "mean and std must be given together")
    if mean is not None and std is not None:
        others.update(mean=_ffi.doubles(mean, 4, "mean"), std=_ffi.doubles(std, 4, "std"))
    return _ffi.DatasetOptions(holdout=int(holdout), resize=_ffi.zero(resize), skip_bad=int(skip_bad), **others)


class Dataset(Handle):
    """Labelled images, normalised when read: ((pixel / 255) - mean) / std.

    Options of all constructors (docs/data.md): `split` "train", "test" or "calib"; `calib_percent`;
    `holdout`; `mean` and `std` per channel; `channels` "rgb" or "bgr"; `classes`; `preprocess`, the
    text of a model's "rescomp.preprocess" metadata; of open() also `resize`, `crop` (pixels), `skip_bad`.

    >>> x, y = np.zeros((8, 3, 4, 4), np.uint8), np.arange(8) % 2
    >>> data = rescomp.Dataset.from_arrays(x, y, mean=(0.5, 0.5, 0.5), std=(1, 1, 1))
    >>> data
    <rescomp.Dataset, 8 images (3, 4, 4), 2 classes>
    >>> images, labels = data.read(0, 2)
    >>> images.shape, float(images.max()), labels.tolist()
    ((2, 3, 4, 4), -0.5, [0, 1])
    """

    _free = "rc_dataset_free"

    def __init__(self, context: Optional[Context], *needs: Any) -> None:
        """Use open(), from_arrays() or from_callback() instead."""
        self._context = owner_of(context)
        super().__init__(self._context, *needs)

    @classmethod
    def open(cls, spec: str, *, context: Optional[Context] = None, **options: Any) -> Dataset:
        """Open "KIND:PATH", such as "cifar10:DIR", "idx:DIR", "folder:DIR" or "npz:FILE"."""
        d = cls(context)
        o = _options(**options)
        with _ffi.interruptible():
            lib.rc_dataset_open(d._new, d._context, _ffi.path(spec), o)
        return d

    @classmethod
    def from_callback(cls, get: Callable[[int], tuple[NDArray[Any], int]], images: int, shape: Sequence[int],
                      classes: int, *, dtype: Any = np.uint8, labels: Optional[Sequence[int]] = None,
                      context: Optional[Context] = None, **options: Any) -> Dataset:
        """Images from a function: get(index) -> (image [C, H, W] of `dtype`, label).

        `dtype` is uint8 (pixels) or float32 (divided by 255 already). With `labels`, `get` is only
        called when the image itself is wanted. What `get` raises comes out of the call that needed it.
        """
        label_of = None if labels is None else np.asarray(labels).tolist().__getitem__
        return cls._from(get, label_of, images, shape, classes, dtype, context, options, get)

    @classmethod
    def from_arrays(cls, x: Any, y: Any, *, classes: int = 0, context: Optional[Context] = None,
                    **options: Any) -> Dataset:
        """Images from arrays `x` [N, C, H, W], uint8 or float32, and `y` [N]: NumPy, torch, DLPack. `x` is
        not copied when it is C-contiguous: do not change it while the data set is in use."""
        x = as_numpy(x)
        x = np.ascontiguousarray(x, dtype=np.uint8 if x.dtype == np.uint8 else np.float32)
        given = as_numpy(y)
        if x.ndim != 4 or given.shape != x.shape[:1] or not len(x):
            raise _ffi.ArgumentError(_ffi.SHAPE, f"x has shape {x.shape} and y {given.shape}, "
                                                 "must be [N, C, H, W] and [N]")
        if not np.issubdtype(given.dtype, np.integer):
            raise _ffi.ArgumentError(_ffi.ARG, f"y is {given.dtype}, must be integers")
        labels, base, stride = given.tolist(), x.ctypes.data, x[0].nbytes

        def get(index: int) -> tuple[Any, int]:
            return base + index * stride, labels[index]
        return cls._from(get, labels.__getitem__, len(x), x.shape[1:], classes or max(1, max(labels) + 1), x.dtype,
                         context, options, x)

    @classmethod
    def _from(cls, get: Callable[[int], tuple[Any, int]], label_of: Optional[Callable[[int], int]], images: int,
              dims: Sequence[int], classes: int, dtype: Any, context: Optional[Context], options: dict[str, Any],
              keep: Any) -> Dataset:
        dtype, shape = np.dtype(dtype), tuple(int(n) for n in dims)
        if dtype not in (np.dtype(np.uint8), np.dtype(np.float32)):
            raise _ffi.ArgumentError(_ffi.ARG, f"dtype is {dtype}, must be uint8 or float32")
        if len(shape) != 3:
            raise _ffi.ArgumentError(_ffi.SHAPE, f"images have shape {shape}, must be [C, H, W]")
        callback = _ffi.image_callback(get, label_of, shape, dtype)
        d = cls(context, callback, keep)
        source = _ffi.DatasetSource(get=callback, images=images, classes=classes, channels=shape[0],
                                    height=shape[1], width=shape[2], type=int(dtype == np.float32))
        with _ffi.interruptible():
            lib.rc_dataset_new_callback(d._new, d._context, source, _options(**options))
        return d

    def __len__(self) -> int:
        return int(lib.rc_dataset_count_images(self._h))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of images as delivered."""
        return _ffi.dataset_shape(self._h)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(lib.rc_dataset_count_classes(self._h))

    @property
    def class_names(self) -> Optional[list[str]]:
        """Names of the classes, or None when the data set does not tell."""
        names = [lib.rc_dataset_get_class_name(self._h, i) for i in range(self.classes)]
        return None if None in names else [_ffi.text(n) for n in names]

    @property
    def preprocess(self) -> str:
        """The preprocessing in use as JSON, to store as a model's "rescomp.preprocess" metadata."""
        return _ffi.text(lib.rc_dataset_get_preprocess(self._h))

    def read(self, first: int = 0, count: Optional[int] = None, *,
             out: Optional[NDArray[np.float32]] = None) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Normalised images first..first+count-1 in order: (float32 [count, C, H, W], int32 [count]).

        `out`: writable C-contiguous float32 array to fill instead of a new one.
        """
        count = max(0, len(self) - first) if count is None else count
        if count < 0 or first < 0 or first + count > len(self):
            raise _ffi.ArgumentError(_ffi.ARG, f"images {first}..{first + count - 1} asked for, "
                                               f"the data set has {len(self)}")
        shape = (count,) + self.shape
        x = np.empty(shape, np.float32) if out is None else out
        if x.shape != shape or x.dtype != np.float32 or not x.flags.c_contiguous or not x.flags.writeable:
            raise _ffi.ArgumentError(_ffi.SHAPE, f"out must be a writable C-contiguous float32 array of shape {shape}")
        y = np.empty(count, np.int32)
        if count:
            with self._lock, _ffi.interruptible():
                lib.rc_dataset_read(self._h, first, count, _ffi.array_pointer(x), _ffi.array_pointer(y))
        return x, y

    def labels(self) -> NDArray[np.int32]:
        """All labels, int32 [images], without decoding images."""
        y = np.empty(len(self), np.int32)
        if len(y):
            with self._lock, _ffi.interruptible():
                lib.rc_dataset_read(self._h, 0, len(y), None, _ffi.array_pointer(y))
        return y

    def batches(self, batch: int = 128) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """read() piece by piece, in order; the last piece may be smaller."""
        if batch < 1:
            raise _ffi.ArgumentError(_ffi.ARG, f"batch is {batch}, must be at least 1")
        for first in range(0, len(self), batch):
            yield self.read(first, min(batch, len(self) - first))

    def __repr__(self) -> str:
        if self.closed or not self._h.pointer.value:
            return "<rescomp.Dataset, closed>"
        return f"<rescomp.Dataset, {len(self)} images {self.shape}, {self.classes} classes>"


def path_text(path: Path) -> str:
    """A path as option text."""
    return os.fsdecode(path)
