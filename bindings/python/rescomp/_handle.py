"""Ownership of library objects: closed explicitly, by `with`, or when collected."""
from __future__ import annotations

import threading
import weakref
from types import TracebackType
from typing import Any, Optional, TypeVar

from . import _ffi


Self = TypeVar("Self", bound="Handle")


class Owner:
    """Owns one library object, and keeps alive what that object uses.

    A handle that is closed lets go of its owner; the object is freed when no other object and no
    running call needs it. So nothing is ever used after it was freed, in whatever order things are closed.
    """

    def __init__(self, free: str, needs: list[Any]) -> None:
        self.pointer = self._as_parameter_ = _ffi.pointer()
        self.needs = needs
        self.lent: weakref.WeakSet[Any] = weakref.WeakSet()  # owners that rely on this object's structure
        self.views: weakref.WeakSet[Any] = weakref.WeakSet()  # arrays on this object's memory
        finalizer = weakref.finalize(self, _release, getattr(_ffi.lib, free), self.pointer, needs)
        finalizer.atexit = False  # a daemon thread may still be inside the library


def _release(free: Any, pointer: Any, _needs: list[Any]) -> None:
    if pointer.value:
        free(_ffi.ref(pointer))


class Handle:
    """A library object. Usable until closed."""

    _free = ""  # name of the rc_*_free function

    def __init__(self, *needs: Any) -> None:
        self._owner: Optional[Owner] = Owner(self._free, [n._h if isinstance(n, Handle) else n for n in needs])
        self._lock = threading.RLock()  # for objects that allow one thread at a time

    @property
    def _h(self) -> Owner:
        owner = self._owner
        if owner is None:
            raise _ffi.ArgumentError(_ffi.STATE, f"{type(self).__name__} is closed")
        return owner

    @property
    def _new(self) -> Any:
        """For rc_*_new(&out, ...)."""
        return _ffi.ref(self._h.pointer)

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._owner is None

    def _changeable(self) -> Owner:
        """The owner, when no array looks at the memory that a change may give back."""
        if self._h.views:
            raise _ffi.ArgumentError(_ffi.STATE, "arrays view the graph's weights; drop those first, or take a copy")
        return self._h

    def close(self) -> None:
        """Let go of it; later uses raise. Closing twice is fine.

        What was made from it stays usable: memory is freed when the last of them is gone.
        """
        self._owner = None

    def __enter__(self: Self) -> Self:
        self._h  # raises when closed
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()
