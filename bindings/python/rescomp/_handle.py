"""Ownership of library objects: closed explicitly, by `with`, or when collected."""
import ctypes as C
import weakref

from ._ffi import lib


class Handle:
    """Owns one library object. Keeps what it was made from alive; a closed handle says so."""

    _free = None  # name of the rc_*_free function

    def __init__(self, *parents):
        self._parents = parents
        self._pointer = C.c_void_p()
        # the finalizer owns the pointer and the parents, so children always go first
        self._finalizer = weakref.finalize(self, _release, self._free, self._pointer, parents)

    @property
    def _h(self):
        if not self._pointer.value:
            raise ValueError(f"{type(self).__name__} is closed")
        return self._pointer

    def close(self):
        """Release now; later uses raise ValueError. Closing twice is fine."""
        self._finalizer()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def _release(free, pointer, _parents):
    if pointer.value:
        getattr(lib, free)(C.byref(pointer))
