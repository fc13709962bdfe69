"""INT8 post-training quantization."""
from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence, Union

from . import _ffi
from ._core import Graph, Path
from ._data import Dataset
from ._ffi import lib
from ._handle import Handle


class Quantizer(Handle):
    """Chooses ranges on images and writes them into a copy of the graph as QuantizeLinear nodes.

    Options are those of rc_quantize_options, with its flags as keywords. `overrides` are texts such as
    "layer1.*:weights=4,acts=8", or a mapping of patterns to what follows the colon; `skip` are patterns of
    layers that stay f32. qat="lsq" (methods("qat")) makes the trainable form, for Trainer(quantizer=this);
    qat=True the one with fixed ranges, straight through.

    >>> data = rescomp.Dataset.from_arrays(np.zeros((8, 3, 32, 32), np.uint8), np.arange(8) % 10, classes=10)
    >>> with rescomp.Quantizer(rescomp.Graph.create("resnet8"), observer="minmax", images=8) as quantizer:
    ...     quantized = quantizer.calibrate(data).apply()
    >>> {"QuantizeLinear", "DequantizeLinear"} <= {n["op"] for n in quantized.nodes()}
    True
    """

    _free = "rc_quantizer_free"

    def __init__(self, graph: Graph, *, observer: Optional[str] = None, images: int = 0, batch: int = 0,
                 weight_bits: int = 0, per_tensor: bool = False, reduce_range: bool = False,
                 bias_correction: bool = True, float_bias: bool = False, single_residual: bool = False,
                 in_order: bool = False, qat: Union[bool, str] = False, full_range: bool = False,
                 tensorrt: Optional[str] = None, activation_bits: int = 0,
                 overrides: Union[Sequence[str], Mapping[str, str]] = (), skip: Sequence[str] = (),
                 same_edges: bool = False, target: Optional[str] = None, signed: bool = False,
                 power_of_two: bool = False, rounding: Optional[str] = None,
                 norm: Optional[str] = None) -> None:
        if isinstance(overrides, Mapping):
            overrides = [f"{pattern}:{bits}" for pattern, bits in overrides.items()]
        layers = _ffi.texts([overrides] if isinstance(overrides, str) else overrides)
        skipped = _ffi.texts([skip] if isinstance(skip, str) else skip)
        self._context = graph._context
        super().__init__(self._context)
        flags = [per_tensor, reduce_range, not bias_correction, float_bias, single_residual, in_order, qat is True,
                 full_range, same_edges, signed, power_of_two]
        options = _ffi.QuantizeOptions(observer=observer, images=images, batch=batch, weight_bits=weight_bits,
                                       flags=sum(int(bool(f)) << i for i, f in enumerate(flags)), tensorrt=tensorrt,
                                       activation_bits=activation_bits, overrides=layers,
                                       override_count=len(layers), skip=skipped, skip_count=len(skipped), target=target,
                                       rounding=rounding, qat=qat if isinstance(qat, str) else None, norm=norm)
        with _ffi.interruptible():
            lib.rc_quantizer_new(self._new, graph._h, options)

    def calibrate(self, dataset: Dataset) -> Quantizer:
        """Run the float graph on images, choose every range, correct biases; returns this quantizer."""
        with self._lock, _ffi.interruptible():
            lib.rc_quantizer_calibrate(self._h, dataset._h)
        return self

    def save_table(self, path: Path, format: Optional[str] = None) -> None:
        """Write the table for another program: "json", "tensorrt", "ort", ..., see methods("table-format")."""
        with self._lock:
            lib.rc_quantizer_save_table(self._h, _ffi.path(path), None if format is None else _ffi.encode(format))

    def load_table(self, path: Path, format: Optional[str] = None) -> Quantizer:
        """Take ranges from a table instead of calibrating; returns this quantizer."""
        with self._lock:
            lib.rc_quantizer_load_table(self._h, _ffi.path(path), None if format is None else _ffi.encode(format))
        return self

    def entries(self) -> list[dict[str, Any]]:
        """One dict per quantized activation: name, low, high, amax, scale, is_signed."""
        out = []
        with self._lock:
            for i in range(lib.rc_quantizer_count_entries(self._h)):
                entry = _ffi.QuantizeEntryInfo()
                lib.rc_quantizer_get_entry(self._h, i, entry)
                d = entry.as_dict()
                d["is_signed"] = bool(d["is_signed"])
                out.append(d)
        return out

    def apply(self) -> Graph:
        """The quantized graph; with qat the trainable form of it."""
        graph = Graph(self._context)
        with self._lock, _ffi.interruptible():
            lib.rc_quantizer_apply(graph._new, self._h)
        return graph

    @staticmethod
    def finish(graph: Graph) -> Graph:
        """After training a graph made with qat: the exported form, with integer weights."""
        done = Graph(graph._context)
        with _ffi.interruptible():
            lib.rc_quantizer_finish(done._new, graph._h)
        return done


def quantize(graph: Graph, dataset: Dataset, **options: Any) -> Graph:
    """Quantizer(graph, ...).calibrate(dataset).apply(): the graph with integer weights, as QDQ nodes.

    >>> data = rescomp.Dataset.from_arrays(np.zeros((8, 3, 32, 32), np.uint8), np.arange(8) % 10, classes=10)
    >>> g = rescomp.Graph.create("resnet8")
    >>> rescomp.quantize(g, data, images=8).info()["weight_bytes"] < g.info()["weight_bytes"] / 3
    True
    """
    with Quantizer(graph, **options) as quantizer:
        return quantizer.calibrate(dataset).apply()
