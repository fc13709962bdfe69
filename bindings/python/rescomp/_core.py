"""Context, Graph, Session and measuring."""
import ctypes as C
import threading

import numpy as np

from . import _ffi
from ._ffi import lib
from ._handle import Handle


class Context(Handle):
    """Threads, seed, memory cap, log. Most callers never make one: a default serves them."""

    _free = "rc_context_free"

    def __init__(self, *, threads=0, seed=0, max_memory=0, log=None, cancel=None):
        super().__init__()
        # ctypes keeps no reference to callbacks; this object must
        self._log = _ffi.LOG_FN(lambda _u, level, line: log(level, line.decode("utf-8", "replace"))) if log else _ffi.LOG_FN()
        self._cancel = _ffi.CANCEL_FN(lambda _u: 1 if cancel() else 0) if cancel else _ffi.CANCEL_FN()
        options = _ffi.ContextOptions(threads=threads, seed=seed, max_memory=max_memory, log=self._log, cancel=self._cancel)
        lib.rc_context_new(C.byref(self._pointer), C.byref(options))

    def memory(self):
        """(live, peak) bytes."""
        live, peak = C.c_uint64(), C.c_uint64()
        lib.rc_context_memory(self._h, C.byref(live), C.byref(peak))
        return live.value, peak.value

    def system(self):
        """What figures depend on: versions, instruction set, processor, self-test."""
        info = _ffi.SystemInfo()
        lib.rc_system_get_info(self._h, C.byref(info))
        return info.as_dict()


_default = None
_default_lock = threading.Lock()


def default_context():
    global _default
    with _default_lock:
        if _default is None:
            _default = Context()
        return _default


class Graph(Handle):
    """A model. Load, look inside, transform, save."""

    _free = "rc_graph_free"

    def __init__(self, context=None):
        self.context = context or default_context()
        super().__init__(self.context)

    @classmethod
    def load(cls, path, *, context=None):
        """Read an ONNX file."""
        g = cls(context)
        lib.rc_graph_load(C.byref(g._pointer), g.context._h, _ffi.path_bytes(path))
        return g

    @classmethod
    def from_bytes(cls, data, *, context=None):
        """Read an ONNX model from bytes."""
        g = cls(context)
        data = bytes(data)
        lib.rc_graph_load_memory(C.byref(g._pointer), g.context._h, data, len(data))
        return g

    @classmethod
    def create(cls, architecture, *, classes=0, channels=0, height=0, width=0, multiplier=0.0, option_b=False,
               seed=0, context=None):
        """A standard network with fresh weights, such as "resnet20" or "resnet50"."""
        g = cls(context)
        options = _ffi.NetworkOptions(classes=classes, channels=channels, height=height, width=width,
                                      multiplier=multiplier, option_b=int(option_b), seed=seed)
        lib.rc_graph_create_network(C.byref(g._pointer), g.context._h, architecture.encode(), C.byref(options))
        return g

    def save(self, path):
        """Write as ONNX, whole or not at all."""
        lib.rc_graph_save(self._h, _ffi.path_bytes(path))

    def copy(self):
        g = Graph(self.context)
        lib.rc_graph_copy(C.byref(g._pointer), self._h)
        return g

    def fuse(self):
        """Fold batch normalisation and constants in place."""
        lib.rc_graph_fuse(self._h)
        return self

    def info(self):
        """Totals at batch 1: nodes, parameters, macs, weight_bytes, ..."""
        info = _ffi.GraphInfo()
        lib.rc_graph_get_info(self._h, C.byref(info))
        return info.as_dict()

    def nodes(self):
        """One dict per node in execution order."""
        out = []
        for i in range(self.info()["nodes"]):
            n = _ffi.NodeInfo()
            lib.rc_graph_get_node(self._h, i, C.byref(n))
            d = n.as_dict()
            d["shape"] = tuple(n.shape[:n.rank])
            del d["rank"]
            out.append(d)
        return out

    def weight(self, name):
        """A float constant as a read-only NumPy copy."""
        data, dims, rank = C.POINTER(C.c_float)(), (C.c_int64 * 8)(), C.c_uint64()
        lib.rc_graph_get_weight(self._h, name.encode(), C.byref(data), dims, C.byref(rank))
        if not data:
            raise ValueError(f"{name} is not a float constant")
        shape = tuple(dims[:rank.value])
        array = np.ctypeslib.as_array(data, shape=shape or (1,)).reshape(shape).copy()
        array.flags.writeable = False
        return array

    def metadata(self, key):
        value = C.c_char_p()
        lib.rc_graph_get_meta(self._h, key.encode(), C.byref(value))
        return None if value.value is None else value.value.decode()

    def set_metadata(self, key, value):
        lib.rc_graph_set_metadata(self._h, key.encode(), None if value is None else value.encode())


class Session(Handle):
    """A graph compiled for inference. `run` takes and returns float32 arrays without copying."""

    _free = "rc_session_free"

    def __init__(self, graph, *, batch=1, threads=0, reference=False):
        super().__init__(graph.context)
        options = _ffi.SessionOptions(batch=batch, threads=threads, flags=1 if reference else 0)
        lib.rc_session_new(C.byref(self._pointer), graph._h, C.byref(options))
        self.inputs = [self._io(0, i) for i in range(lib.rc_session_count(self._h, 0))]
        self.outputs = [self._io(1, i) for i in range(lib.rc_session_count(self._h, 1))]

    def _io(self, kind, index):
        name, dims, rank = C.c_char_p(), (C.c_int64 * 8)(), C.c_uint64()
        lib.rc_session_io(self._h, kind, index, C.byref(name), dims, C.byref(rank))
        return name.value.decode(), tuple(dims[:rank.value])

    def _prepare(self, x, name, shape):
        x = np.ascontiguousarray(x, dtype=np.float32)
        if x.ndim != len(shape) or x.shape[1:] != shape[1:] or not 1 <= x.shape[0] <= shape[0]:
            raise ValueError(f"input {name} has shape {x.shape}, expected up to {shape}")
        return x

    def run(self, *inputs, out=None):
        """Run on the given arrays [images, ...]; returns the output array, or a list of several.

        `out`: float32 C-contiguous arrays to fill instead of new ones.
        """
        if len(inputs) != len(self.inputs):
            raise ValueError(f"{len(inputs)} inputs given, the model has {len(self.inputs)}")
        arrays = [self._prepare(x, *io) for x, io in zip(inputs, self.inputs)]
        n = arrays[0].shape[0]
        if any(a.shape[0] != n for a in arrays):
            raise ValueError("inputs have different numbers of images")
        shapes = [(n,) + shape[1:] for _, shape in self.outputs]
        if out is None:
            results = [np.empty(s, np.float32) for s in shapes]
        else:
            results = [out] if isinstance(out, np.ndarray) else list(out)
            for r, s in zip(results, shapes):
                if r.shape != s or r.dtype != np.float32 or not r.flags.c_contiguous or not r.flags.writeable:
                    raise ValueError(f"out must be a writable C-contiguous float32 array of shape {s}")
        lib.rc_session_run(self._h, n, _ffi.pointers(arrays), _ffi.pointers(results))
        return results[0] if len(results) == 1 else results


def measure_latency(sessions, *, seconds=0.0, min_runs=0, max_runs=0, warmup=0, context=None):
    """Interleaved latency of several sessions; a list of dicts (median_ms, p90_ms, ...)."""
    context = context or default_context()
    handles = (C.c_void_p * len(sessions))(*[s._h.value for s in sessions])
    results = (_ffi.Latency * len(sessions))()
    for r in results:
        r.size = C.sizeof(_ffi.Latency)
    options = _ffi.LatencyOptions(seconds=seconds, min_runs=min_runs, max_runs=max_runs, warmup=warmup)
    lib.rc_measure_latency(context._h, handles, len(sessions), C.byref(options), results)
    return [r.as_dict() for r in results]
