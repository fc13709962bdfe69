"""Context, Graph, Session and measuring."""
from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence, Union

import numpy as np

from . import _ffi, _html
from ._arrays import Weight, as_numpy, fits_out
from ._ffi import lib
from ._handle import Handle, Owner

if TYPE_CHECKING:
    from numpy.typing import NDArray

Path = Union[str, bytes, "os.PathLike[Any]"]


class Context(Handle):
    """Threads, seed, memory cap, log. Most callers never make one: a default serves them.

    `log(level, line)` is given what the library says, with the levels of Python's logging; `cancel()`
    is asked between the steps of long calls and ends them with `Cancelled` when it returns something
    true. `choices` is a file that keeps which kernels were fastest on this machine for later
    processes, or "off": nothing is measured then, a fixed rule decides. `pin` holds every thread of
    compute to a processor of its own. `max_memory` and `max_file_bytes` are in bytes, 0: no cap.

    >>> with rescomp.Context(threads=1, seed=7, choices="off") as context:
    ...     context.memory()[0] >= 0
    True
    """

    _free = "rc_context_free"

    def __init__(self, *, threads: int = 0, seed: int = 0, max_memory: int = 0, max_file_bytes: int = 0,
                 max_nodes: int = 0, reference: bool = False, log: Optional[Callable[[int, str], None]] = None,
                 cancel: Optional[Callable[[], Any]] = None, choices: Optional[Path] = None,
                 pin: bool = False) -> None:
        # ctypes keeps no reference to callbacks, so the owner does
        logger, canceller = _ffi.log_callback(log), _ffi.cancel_callback(cancel)
        super().__init__(logger, canceller)
        options = _ffi.ContextOptions(threads=threads, seed=seed, max_memory=max_memory, log=logger,
                                      cancel=canceller, max_file_bytes=max_file_bytes, max_nodes=max_nodes,
                                      flags=int(reference) | int(pin) << 1, choices=choices and os.fsdecode(choices))
        lib.rc_context_new(self._new, options)

    def memory(self) -> tuple[int, int]:
        """(live, peak) bytes."""
        return _ffi.two_numbers(lib.rc_context_get_memory, self._h)

    def system(self) -> dict[str, Any]:
        """What figures depend on: versions, instruction set, processor, self-test."""
        info = _ffi.SystemInfo()
        lib.rc_system_get_info(self._h, info)
        return info.as_dict()


_default: Optional[Context] = None
_default_lock = threading.Lock()


def default_context() -> Context:
    """The context of everything that is made without one.

    >>> rescomp.default_context() is rescomp.default_context()
    True
    """
    global _default
    with _default_lock:
        if _default is None or _default.closed:
            _default = Context()
        return _default


def owner_of(context: Any) -> Owner:
    """The owner behind a context, or behind the default one. What is made from an object takes over
    the owner of its context, so that it can be made after that context was closed."""
    if isinstance(context, Owner):
        return context
    return (default_context() if context is None else context)._h


def _shape_texts(shape: Any) -> list[str]:
    """["x=N,3,224,224"] of {"x": (None, 3, 224, 224)}, ["N,3,224,224"] of (None, 3, 224, 224)."""
    if shape is None:
        return []
    if isinstance(shape, str):
        return [shape]
    if isinstance(shape, dict):
        return [f"{name}={_shape_texts(dims)[0]}" for name, dims in shape.items()]
    return [",".join(str(d) if isinstance(d, (int, np.integer)) else "N" for d in shape)]


class Survey(Handle):
    """What a model file holds as it stands there, also of one that cannot be loaded.

    >>> rescomp.Graph.create("resnet8").save(folder / "m.onnx")
    >>> with rescomp.Survey(folder / "m.onnx") as survey:
    ...     survey.info()["unsupported"], survey.operators()[0]["supported"]
    (0, 1)
    """

    _free = "rc_survey_free"

    def __init__(self, path: Path, *, context: Optional[Context] = None) -> None:
        """Read the file without its weights."""
        self._context = owner_of(context)
        super().__init__(self._context)
        lib.rc_survey_new(self._new, self._context, _ffi.path(path))

    def info(self) -> dict[str, Any]:
        """Totals: nodes, unsupported, operators, opsets, initializers, functions, ir_version, producer."""
        info = _ffi.SurveyInfo()
        lib.rc_survey_get_info(self._h, info)
        return info.as_dict()

    def _list(self, count: int, get: Any, kind: Any) -> list[dict[str, Any]]:
        out = []
        for i in range(count):
            info = kind()
            get(self._h, i, info)
            out.append(info.as_dict())
        return out

    def operators(self) -> list[dict[str, Any]]:
        """One dict per operator: name, domain, count, supported."""
        return self._list(self.info()["operators"], lib.rc_survey_get_operator, _ffi.SurveyOperatorInfo)

    def opsets(self) -> list[dict[str, Any]]:
        """One dict per opset import: domain, version, used."""
        return self._list(self.info()["opsets"], lib.rc_survey_get_opset, _ffi.SurveyOpsetInfo)

    def nodes(self) -> list[dict[str, Any]]:
        """One dict per node in the file's order: name, op, domain, supported."""
        return self._list(self.info()["nodes"], lib.rc_survey_get_node, _ffi.SurveyNodeInfo)


class Packed(Handle):
    """How a packed file (.rcz) stores each weight. [bits of one element, bytes]

    >>> rescomp.Graph.create("resnet8").save_packed(folder / "m.rcz")
    >>> with rescomp.Packed(folder / "m.rcz") as packed:
    ...     packed.info()["stored"] <= packed.info()["bytes"], packed.tensors()[0]["type"]
    (True, 'FLOAT')
    """

    _free = "rc_packed_free"

    def __init__(self, path: Path, *, context: Optional[Context] = None) -> None:
        """Read its tables; no weight is decoded."""
        self._context = owner_of(context)
        super().__init__(self._context)
        lib.rc_packed_new(self._new, self._context, _ffi.path(path))

    def info(self) -> dict[str, Any]:
        """Totals: major, minor, file_bytes, graph_bytes, graph_stored, tensors, bytes, stored."""
        info = _ffi.PackedInfo()
        lib.rc_packed_get_info(self._h, info)
        return info.as_dict()

    def tensors(self) -> list[dict[str, Any]]:
        """One dict per weight: name, type, coder, entropy, bits, elements, bytes, stored."""
        out = []
        for i in range(self.info()["tensors"]):
            info = _ffi.PackedTensorInfo()
            lib.rc_packed_get_tensor(self._h, i, info)
            out.append(info.as_dict())
        return out


class Graph(Handle):
    """A model. Load, look inside, transform, save.

    Images are [N, C, H, W], filters [filters, channels / groups, height, width]; MACs are of one image.

    >>> g = rescomp.Graph.create("resnet8", classes=10, height=32, width=32)
    >>> g.info()["parameters"]
    78714
    >>> g.nodes()[0]["op"], g.nodes()[0]["shape"]
    ('Conv', (1, 16, 32, 32))
    >>> g.fuse().save(folder / "fused.onnx")
    >>> rescomp.Graph.load(folder / "fused.onnx", check=True)
    <rescomp.Graph, 22 nodes, 77,706 parameters, 12,501,632 MACs>
    """

    _free = "rc_graph_free"

    def __init__(self, context: Any = None) -> None:
        """Use load(), from_bytes() or create() instead."""
        self._context = owner_of(context)
        super().__init__(self._context)

    @classmethod
    def load(cls, path: Any, *, input_shape: Any = None, check: bool = False,
             context: Optional[Context] = None) -> Graph:
        """Read an ONNX or packed file, or an `onnx.ModelProto`.

        `input_shape`: (None, 3, 224, 224), or a dict of such by input; None and names leave an axis as it is.
        `check`: compare what is imported with the file as it is, by plain operators on random input."""
        if hasattr(path, "SerializeToString"):
            return cls.from_bytes(path.SerializeToString(), input_shape=input_shape, check=check, context=context)
        g = cls(context)
        shapes = _ffi.texts(_shape_texts(input_shape))
        options = _ffi.GraphLoadOptions(input_shapes=shapes, input_shape_count=len(shapes), flags=int(check))
        with _ffi.interruptible():
            lib.rc_graph_load_with(g._new, g._context, _ffi.path(path), options)
        return g

    @classmethod
    def from_bytes(cls, data: bytes, *, input_shape: Any = None, check: bool = False,
                   context: Optional[Context] = None) -> Graph:
        """Read an ONNX model from bytes; `input_shape` and `check` as in load()."""
        g = cls(context)
        view = np.frombuffer(data, np.uint8)
        shapes = _ffi.texts(_shape_texts(input_shape))
        options = _ffi.GraphLoadOptions(input_shapes=shapes, input_shape_count=len(shapes),
                                        data=_ffi.array_pointer(view), data_size=view.size, flags=int(check))
        with _ffi.interruptible():
            lib.rc_graph_load_with(g._new, g._context, None, options)
        return g

    @classmethod
    def create(cls, architecture: str, *, classes: int = 0, channels: int = 0, height: int = 0, width: int = 0,
               multiplier: float = 0.0, shortcuts: Optional[str] = None, seed: int = 0,
               context: Optional[Context] = None) -> Graph:
        """A standard network with fresh weights, such as "resnet20" or "resnet50"; `shortcuts`: "A" or "B"."""
        g = cls(context)
        options = _ffi.NetworkOptions(classes=classes, channels=channels, height=height, width=width,
                                      multiplier=multiplier, shortcuts=shortcuts, seed=seed)
        with _ffi.interruptible():
            lib.rc_graph_new_network(g._new, g._context, _ffi.encode(architecture), options)
        return g

    def save(self, path: Path, *, opset: int = 0, storage: Optional[str] = None, form: Optional[str] = None,
             narrow: bool = False) -> None:
        """Write as ONNX, whole or not at all; `storage` of weights: "f32", "f16" or "bf16", `opset` 7 to 25, `form` of
        a quantized graph: "qdq" or "qoperator"; `narrow`: quantized weights that fit as INT4 (opset 21) or INT2 (25)."""
        options = _ffi.GraphSaveOptions(opset=opset, storage=storage, form=form, flags=int(narrow))
        lib.rc_graph_save_with(self._h, _ffi.path(path), options)

    def save_packed(self, path: Path, *, coding: Optional[str] = None, opset: int = 0,
                    storage: Optional[str] = None, narrow: bool = False) -> None:
        """Write as a packed file (.rcz), whole or not at all; `coding`: "auto", "fields" or "raw"; else as save()."""
        options = _ffi.PackOptions(coding=coding, opset=opset, storage=storage, flags=int(narrow))
        with _ffi.interruptible():
            lib.rc_graph_save_packed(self._h, _ffi.path(path), options)

    def copy(self) -> Graph:
        """An independent copy."""
        g = Graph(self._context)
        lib.rc_graph_clone(g._new, self._h)
        return g

    def fuse(self) -> Graph:
        """Clean up in place: fold constants, normalisation and padding, drop and merge nodes; returns this graph."""
        if self._h.lent:
            raise _ffi.ArgumentError(_ffi.STATE, "the graph belongs to a Trainer; close that first, or fuse a copy")
        owner = self._changeable()
        with _ffi.interruptible():
            lib.rc_graph_fuse(owner)
        return self

    def compare_stored(self, path: Path, *, tolerance: float = 0.0) -> dict[str, Any]:
        """Compare with stored inputs and outputs: a folder of input_0.pb (or .npy), output_0.pb ..., or an .npz file of
        arrays by name. Raises Error where more than `tolerance` (0: 1e-4) of an output's largest number differs."""
        result = _ffi.StoredResult()
        with _ffi.interruptible():
            lib.rc_graph_compare_stored(self._h, _ffi.path(path), tolerance, result)
        return result.as_dict()

    def info(self) -> dict[str, int]:
        """Totals at batch 1: nodes, parameters, macs, weight_bytes, ..."""
        info = _ffi.GraphInfo()
        lib.rc_graph_get_info(self._h, info)
        return info.as_dict()

    def nodes(self) -> list[dict[str, Any]]:
        """One dict per node in execution order: name, op, shape, parameters, macs, bytes, output."""
        out = []
        for i in range(self.info()["nodes"]):
            n = _ffi.NodeInfo()
            lib.rc_graph_get_node(self._h, i, n)
            d = n.as_dict()
            d["shape"] = tuple(n.shape[:d.pop("rank")])
            out.append(d)
        return out

    def weight(self, name: str) -> NDArray[np.float32]:
        """A float constant as a read-only NumPy copy, of its shape in the file."""
        array = _ffi.weight(self._h, name)
        if array is None:
            raise _ffi.ArgumentError(_ffi.ARG, f"{name} is not a float constant")
        array.flags.writeable = False
        return array

    def view(self, name: str) -> Weight:
        """A float constant where it lies: no copy, for NumPy and DLPack (Weight)."""
        return Weight(self._h, name)

    def weights(self) -> dict[str, Weight]:
        """Views of all float constants by name, in execution order."""
        nodes = self.nodes()
        found = {}
        for name in _ffi.constants(self._h, len(nodes), lambda i: int(nodes[i]["operands"])):
            try:
                found[name] = self.view(name)
            except _ffi.ArgumentError:  # integers: shapes, zero points
                continue
        return found

    def metadata(self, key: str) -> Optional[str]:
        """The value that the file keeps under `key`, or None."""
        return _ffi.one_text(lib.rc_graph_get_metadata, self._h, _ffi.encode(key))

    def set_metadata(self, key: str, value: Optional[str]) -> None:
        """Keep a value in the file; None drops it."""
        lib.rc_graph_set_metadata(self._h, _ffi.encode(key), None if value is None else _ffi.encode(value))

    def __repr__(self) -> str:
        if self.closed or not self._h.pointer.value:
            return "<rescomp.Graph, closed>"
        i = self.info()
        return f"<rescomp.Graph, {i['nodes']} nodes, {i['parameters']:,} parameters, {i['macs']:,} MACs>"

    def _repr_html_(self) -> str:
        """A table of layers, for notebooks."""
        if self.closed or not self._h.pointer.value:
            return "<p>rescomp.Graph, closed</p>"
        i = self.info()
        keys = ("name", "op", "shape", "parameters", "macs", "bytes")
        return _html.table(f"{i['nodes']} nodes, {i['parameters']:,} parameters, {i['macs']:,} MACs at batch 1", keys,
                           [[n[k] for k in keys] for n in self.nodes()])


class Session(Handle):
    """A graph compiled for inference. `run` takes and returns float32 arrays without copying.

    From a graph, of which it is independent afterwards, or from a file: that takes half the memory and
    less time, and `context` says where. Threads that share one wait for each other. precision="bf16"
    computes in bfloat16 where the processor has it (Context.system()["bf16"]); inputs and outputs stay float32.
    precision="mixed" computes integer convolutions in float32 where that is faster, which can be off by one step.

    >>> session = rescomp.Session(rescomp.Graph.create("resnet8"), batch=4)
    >>> session.inputs
    [('input', (4, 3, 32, 32))]
    >>> logits = session.run(np.zeros((2, 3, 32, 32), np.float32))
    >>> logits.shape, logits.dtype
    ((2, 10), dtype('float32'))
    """

    _free = "rc_session_free"

    def __init__(self, graph: Union[Graph, Path], *, batch: int = 1, threads: int = 0, reference: bool = False,
                 profile: bool = False, observe: Sequence[str] = (), precision: str = "f32",
                 context: Optional[Context] = None) -> None:
        if isinstance(graph, Graph) and context is not None:
            raise _ffi.ArgumentError(_ffi.ARG, "context is that of the graph")
        self._context = graph._context if isinstance(graph, Graph) else owner_of(context)
        super().__init__(self._context)
        names = _ffi.texts(observe)
        flags = int(reference) | int(profile) << 1 | _ffi.precision_flags(precision, {"bf16": 4, "mixed": 8})
        options = _ffi.SessionOptions(batch=batch, threads=threads, flags=flags, observe=names,
                                      observe_count=len(names))
        with _ffi.interruptible():
            if isinstance(graph, Graph):
                lib.rc_session_new(self._new, graph._h, options)
            else:
                lib.rc_session_load(self._new, self._context, _ffi.path(graph), options)
        #: (name, shape at the largest batch) of each
        self.inputs, self._in_batched = _ffi.session_io(self._h, lib.rc_session_count_inputs, lib.rc_session_get_input)
        #: outputs, then observed values
        self.outputs, self._out_batched = _ffi.session_io(self._h, lib.rc_session_count_outputs, lib.rc_session_get_output)

    @staticmethod
    def _prepare(given: Any, io: tuple[str, tuple[int, ...]], batched: bool) -> NDArray[np.float32]:
        name, shape = io
        x = np.ascontiguousarray(as_numpy(given), dtype=np.float32)
        fits = x.ndim == len(shape) and x.shape[1:] == shape[1:] and 1 <= x.shape[0] <= shape[0] if batched \
            else x.shape == shape
        if not batched and not fits:
            raise _ffi.ArgumentError(_ffi.SHAPE, f"input {name} has shape {x.shape}, must be {shape}")
        if not fits:
            allowed = f"1..{shape[0]}" if shape[0] > 1 else "1"
            raise _ffi.ArgumentError(_ffi.SHAPE, f"input {name} has shape {x.shape}, must be "
                                                 f"({', '.join([allowed, *map(str, shape[1:])])})")
        return x

    @staticmethod
    def _results(out: Any, shapes: Sequence[tuple[int, ...]]) -> list[NDArray[np.float32]]:
        if out is None:
            return [np.empty(s, np.float32) for s in shapes]
        given = list(out) if isinstance(out, (list, tuple)) else [out]
        if len(given) != len(shapes):
            raise _ffi.ArgumentError(_ffi.ARG, f"out has {len(given)} arrays, the session has {len(shapes)} outputs")
        results = []
        for r, s in zip(given, shapes):
            array = fits_out(r, s)
            if array is None:
                raise _ffi.ArgumentError(_ffi.SHAPE, f"out must be a writable C-contiguous float32 array of shape {s}")
            results.append(array)
        return results

    def run(self, *inputs: Any, out: Any = None) -> Any:
        """Run on arrays [images, ...], 1 to `batch` images; returns the output, or a list of several. What has no
        batch (a sum over images) has its whole shape.

        C-contiguous float32 inputs are used where they are, torch tensors and whatever has `__array__` or `__dlpack__`
        too; others are converted first. `out`: writable C-contiguous float32 arrays or tensors to fill and return
        instead of new ones. Outputs give their memory on to `torch.from_numpy` and `from_dlpack`.
        """
        if len(inputs) != len(self.inputs):
            raise _ffi.ArgumentError(_ffi.ARG, f"{len(inputs)} inputs given, the model has {len(self.inputs)}")
        arrays = [self._prepare(x, io, b) for x, io, b in zip(inputs, self.inputs, self._in_batched)]
        images = [len(a) for a, batched in zip(arrays, self._in_batched) if batched] or [1]
        n = images[0]
        if any(k != n for k in images):
            raise _ffi.ArgumentError(_ffi.SHAPE, "inputs have different numbers of images")
        results = self._results(out, [(n,) + shape[1:] if batched else shape
                                      for (_, shape), batched in zip(self.outputs, self._out_batched)])
        with self._lock:
            lib.rc_session_run(self._h, n, _ffi.pointers(arrays), _ffi.pointers(results))
        if out is not None:
            return out if not isinstance(out, (list, tuple)) or len(results) > 1 else out[0]
        return results[0] if len(results) == 1 else results

    def profile(self) -> list[dict[str, Any]]:
        """One dict per executed step; times are totals, and 0 unless made with profile=True."""
        out = []
        for i in range(lib.rc_session_count_steps(self._h)):
            step = _ffi.SessionStepInfo()
            lib.rc_session_get_step(self._h, i, step)
            out.append(step.as_dict())
        return out

    def memory(self) -> tuple[int, int]:
        """(activation, packed weight) bytes held."""
        return _ffi.two_numbers(lib.rc_session_get_memory, self._h)


def measure_latency(sessions: Sequence[Session], *, seconds: float = 0.0, min_runs: int = 0, max_runs: int = 0,
                    warmup: Optional[int] = None) -> list[dict[str, Any]]:
    """Interleaved latency of several sessions; a list of dicts: runs, min_ms, mean_ms, median_ms, p90_ms, p99_ms,
    images_per_second. Times are of one run of the session's whole batch; `seconds` is for each session.

    >>> session = rescomp.Session(rescomp.Graph.create("resnet8"), threads=1)
    >>> latency, = rescomp.measure_latency([session], min_runs=3, max_runs=3)
    >>> latency["runs"], latency["p90_ms"] >= latency["median_ms"] > 0
    (3, True)
    """
    sessions = list(sessions)
    if not sessions:
        raise _ffi.ArgumentError(_ffi.ARG, "no sessions to measure")
    owners = [s._h for s in sessions]
    results = _ffi.structs(_ffi.Latency, len(sessions))
    options = _ffi.LatencyOptions(seconds=seconds, min_runs=min_runs, max_runs=max_runs, warmup=_ffi.zero(warmup))
    with contextlib.ExitStack() as stack:
        for s in sorted(sessions, key=id):  # one order, so that two callers cannot block each other
            stack.enter_context(s._lock)
        stack.enter_context(_ffi.interruptible())
        lib.rc_measure_latency(sessions[0]._context, _ffi.pointers([o.pointer for o in owners]), len(owners), options,
                               results)
    return [r.as_dict() for r in results]
