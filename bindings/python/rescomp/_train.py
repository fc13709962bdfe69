"""Evaluate, train, distil."""
from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, Sequence, Union

import numpy as np

from . import _ffi
from ._core import Graph, Path
from ._data import Dataset, path_text
from ._ffi import lib
from ._handle import Handle

if TYPE_CHECKING:
    from numpy.typing import NDArray

Progress = Callable[[dict[str, Any]], None]


def evaluate(graph: Graph, dataset: Dataset, *, batch: int = 0, threads: int = 0, images: int = 0,
             confusion: bool = False, precision: str = "f32") -> dict[str, Any]:
    """Accuracy and loss: a dict with images, top1, top5 (percent), loss, seconds, images_per_second.

    With `confusion` also "confusion", uint64 [classes, classes]: row is the label, column the answer.

    >>> data = rescomp.Dataset.from_arrays(np.zeros((8, 3, 32, 32), np.uint8), np.arange(8) % 4, classes=10)
    >>> result = rescomp.evaluate(rescomp.Graph.create("resnet8"), data, confusion=True)
    >>> result["images"], int(result["confusion"].sum()), 0 <= result["top1"] <= 100
    (8, 8, True)
    """
    counts = np.zeros((dataset.classes,) * 2, np.uint64) if confusion else None
    options = _ffi.EvaluateOptions(batch=batch, threads=threads, images=images,
                                   flags=_ffi.precision_flags(precision, {"bf16": 1, "mixed": 2}))
    if counts is not None:
        options.confusion, options.confusion_size = counts.ctypes.data, counts.size
    result = _ffi.EvaluateResult()
    with _ffi.interruptible():
        lib.rc_evaluate(graph._h, dataset._h, options, result)
    out = result.as_dict()
    if counts is not None:
        out["confusion"] = counts
    return out


def reestimate_bn(graph: Graph, dataset: Dataset, *, images: int = 0, batch: int = 0) -> None:
    """Replace BatchNormalization statistics by the exact ones of training images, in place. `images` 0: all.

    >>> data = rescomp.Dataset.from_arrays(np.zeros((8, 3, 32, 32), np.uint8), np.arange(8) % 4, classes=10)
    >>> rescomp.reestimate_bn(rescomp.Graph.create("resnet8"), data, batch=8)
    """
    with _ffi.interruptible():
        lib.rc_graph_reestimate_bn(graph._changeable(), dataset._h, _ffi.unsigned(images, "images"), _ffi.unsigned(batch, "batch"))


class Distiller(Handle):
    """A teacher and a loss; given to a Trainer, its loss also looks at the teacher's answers.

    `loss` is one method or a sum, "hinton+at:weight=500". `hints` are pairs "student=teacher" of value names or
    patterns that losses on features compare; without any they are found.

    >>> teacher = rescomp.Distiller(rescomp.Graph.create("resnet20"), loss="hinton", temperature=4, alpha=0.9)
    >>> teacher.closed
    False
    """

    _free = "rc_distiller_free"

    def __init__(self, teacher: Graph, *, temperature: float = 0.0, alpha: float = 0.0, loss: Optional[str] = None,
                 cache_bytes: Optional[int] = None, hints: Union[str, Sequence[str]] = ()) -> None:
        super().__init__(teacher._context)
        pairs = _ffi.texts([hints] if isinstance(hints, str) else hints)
        options = _ffi.DistillOptions(temperature=temperature, alpha=alpha, loss=loss, cache_bytes=_ffi.zero(cache_bytes),
                                      hints=pairs, hint_count=len(pairs))
        lib.rc_distiller_new(self._new, teacher._h, options)


class _Penalty(Handle):
    _free = "rc_sparsifier_free"


class Trainer(Handle):
    """One training run of `graph`, in place. The graph must not be transformed or shared with other
    threads while the trainer is open.

    Options are those of rc_train_options; 0 and None mean the default. `progress` is called with a
    dict after every step: epoch, step, steps, loss, epoch_top1, rate, seconds_left, top1, ... What it
    raises ends the run at that step and comes out of run(); so does Ctrl-C. precision="bf16" keeps
    activations in bfloat16 where the processor has it. memory caps the bytes of activations by computing some twice.
    seconds is about how long the run may take, instead of epochs.
    sparsity is a "regularizer" method: a penalty on whole channels, which can be cut afterwards.
    layer_rates are factors of the learning rate by patterns of names, {"conv1*": 0} freezes; events is a folder for
    TensorBoard's curves.

    `quantizer`: the one whose qat method made `graph`.

    Data-parallel: with `all_reduce`, `ranks` and `rank` each process computes its part of every batch, which is of
    all together; `all_reduce(array)` sums a float32 array in place over the ranks (examples/mpi/train.py).

    >>> x, y = np.zeros((16, 3, 8, 8), np.uint8), np.arange(16) % 4
    >>> g = rescomp.Graph.create("resnet8", classes=4, height=8, width=8)
    >>> with rescomp.Trainer(g, rescomp.Dataset.from_arrays(x, y), batch=8, epochs=2, lr=0.1) as trainer:
    ...     trainer.run()["steps"]
    4
    """

    _free = "rc_trainer_free"

    def __init__(self, graph: Graph, dataset: Dataset, *, distiller: Optional[Distiller] = None, epochs: int = 0,
                 batch: int = 0, lr: float = 0.0, rate: Optional[str] = None, optimizer: Optional[str] = None,
                 loss: Optional[str] = None, augmentation: Optional[str] = None, replays: int = 0, images: int = 0,
                 seed: int = 0, threads: int = 0, ema: float = 0.0, bn_images: Optional[int] = None,
                 validation: Optional[Dataset] = None, keep_best: bool = False, checkpoint: Optional[Path] = None,
                 checkpoint_steps: int = 0, resume: bool = False, progress: Optional[Progress] = None,
                 in_order: bool = False, freeze_bn: bool = False, precision: str = "f32",
                 memory: int = 0, all_reduce: Optional[Callable[[NDArray[np.float32]], Any]] = None, ranks: int = 0,
                 rank: int = 0, sparsity: Optional[str] = None, seconds: float = 0.0,
                 clip: float = 0.0, accumulate: int = 0, swa: float = 0.0,
                 layer_rates: Optional[Mapping[str, float]] = None, patience: int = 0,
                 events: Optional[Path] = None, quantizer: Optional[Handle] = None) -> None:
        me = weakref.ref(self)  # the owner keeps the callback, which must not keep the trainer
        self._progress = progress

        def show(p: dict[str, Any]) -> None:
            trainer = me()
            if trainer is not None and trainer._progress is not None:
                trainer._progress(p)
        callback = _ffi.progress_callback(_ffi.PROGRESS_FN, show) if progress else None
        if all_reduce is None and ranks > 1:
            raise _ffi.ArgumentError(_ffi.ARG, f"{ranks} ranks need all_reduce, which sums over them")
        adder = None if all_reduce is None else _ffi.all_reduce_callback(all_reduce)
        penalty = None if sparsity is None else _Penalty()  # filled below; outlives the trainer
        needs = (distiller, quantizer, validation, callback, adder, penalty)
        super().__init__(graph, dataset, *(x for x in needs if x is not None))
        options = _ffi.TrainOptions(
            epochs=epochs, batch=batch, lr=lr, rate=rate, optimizer=optimizer, loss=loss, augmentation=augmentation,
            replays=replays, images=images, seed=seed, threads=threads, ema=ema, bn_images=_ffi.zero(bn_images),
            validation=None if validation is None else validation._h.pointer, keep_best=int(keep_best),
            checkpoint=None if checkpoint is None else path_text(checkpoint), checkpoint_steps=checkpoint_steps,
            resume=int(resume), progress=callback, memory=memory, seconds=seconds, all_reduce=adder, ranks=ranks, rank=rank,
            clip=clip, accumulate=accumulate, swa=swa,
            layer_rates=None if not layer_rates else ",".join(f"{k}={v:.17g}" for k, v in layer_rates.items()),
            patience=patience, events=None if events is None else path_text(events),
            flags=int(in_order) | int(freeze_bn) << 1 | _ffi.precision_flags(precision, {"bf16": 4}))
        with _ffi.interruptible():
            lib.rc_trainer_new(self._new, graph._changeable(), dataset._h, options)
        if quantizer is not None:
            lib.rc_quantizer_attach(quantizer._h, self._h)
        if distiller is not None:
            with _ffi.interruptible():
                lib.rc_distiller_attach(distiller._h, self._h)
        if penalty is not None:
            lib.rc_sparsifier_new(penalty._new, self._h, _ffi.SparsifyOptions(method=sparsity))
        graph._h.lent.add(self._h)

    def run(self) -> dict[str, Any]:
        """Train; a dict with epochs, steps, best_epoch, loss, train_top1, top1, seconds, images_per_second."""
        result = _ffi.TrainResult()
        with self._lock, _ffi.interruptible():
            lib.rc_trainer_run(self._h, result)
        return result.as_dict()

    def find_rate(self, steps: int = 100, start: float = 1e-5, end: float = 10.0) -> dict[str, Any]:
        """Learning rate range test before run(): a dict with rate (to train with), least, steepest, steps, and lists
        rates and losses, one per step. Everything is put back afterwards.
        """
        result = _ffi.RateTestResult()
        rates, losses = _ffi.zeros(steps), _ffi.zeros(steps)
        with self._lock, _ffi.interruptible():
            lib.rc_trainer_find_rate(self._h, _ffi.RateTest(steps=steps, first=start, last=end), result, rates, losses)
        return dict(result.as_dict(), rates=rates[:result.steps], losses=losses[:result.steps])


def train(graph: Graph, dataset: Dataset, *, teacher: Optional[Union[Graph, Distiller]] = None,
          **options: Any) -> dict[str, Any]:
    """Train `graph` in place: Trainer(...).run(). `teacher` makes it distillation.

    >>> data = rescomp.Dataset.from_arrays(np.zeros((16, 3, 8, 8), np.uint8), np.arange(16) % 4)
    >>> g = rescomp.Graph.create("resnet8", classes=4, height=8, width=8)
    >>> rescomp.train(g, data, batch=8, lr=0.1, teacher=g.copy())["epochs"]
    1
    """
    if isinstance(teacher, Graph):
        teacher = Distiller(teacher)
    with Trainer(graph, dataset, distiller=teacher, **options) as trainer:
        return trainer.run()
