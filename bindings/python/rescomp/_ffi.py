"""The only file that knows ctypes: one Struct per C struct, one row per function.

What crosses the border: text is checked for NUL and encoded, unsigned numbers are checked for sign,
failed calls raise. Exceptions inside callbacks cannot pass through C: they are kept for the thread,
stop the running call through the context's cancel callback, and are raised when it returns.
"""
from __future__ import annotations

import contextlib
import ctypes as C
import operator
import os
import pathlib
import signal
import threading
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, Optional, Sequence, Union

import numpy as np

if TYPE_CHECKING:  # numpy.typing costs time to import
    from numpy.typing import NDArray

NAME = "libresnetcompress.so.0"
VERSION = (0, 1)  # the least major and minor version these bindings need
ARG, SHAPE, STATE, CANCELLED, GOAL = -1, -5, -13, -14, -16  # rc_status values that are raised from here
ZERO, ZERO_REAL = (1 << 64) - 1, -1.0  # RC_ZERO, RC_ZERO_REAL: the number 0 where C's 0 is the default


class Error(Exception):
    """A failed call. `status` is the rc_status value, `name` its name, the text the library's.

    >>> try:
    ...     rescomp.Graph.create("resnet9999x")
    ... except rescomp.Error as e:
    ...     e.name
    'RC_ERR_ARG'
    """

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message or status_name(status))
        self.status = status
        self.name = status_name(status)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, str(self))


class ArgumentError(Error, ValueError):
    """An argument breaks a documented rule (RC_ERR_ARG, RC_ERR_SHAPE, RC_ERR_STATE)."""


class OutOfMemory(Error, MemoryError):
    """RC_ERR_MEMORY."""


class FileError(Error, OSError):
    """RC_ERR_IO, RC_ERR_PATH."""


class Cancelled(Error):
    """RC_ERR_CANCELLED: the context's `cancel` asked to stop."""


class GoalMissed(Error):
    """RC_ERR_GOAL: finished, but a target was not reached. `graph` is the best there is, or None."""

    graph: Any = None
    result: Any = None


_CLASSES = {-1: ArgumentError, -2: OutOfMemory, -5: ArgumentError, -10: FileError, -11: FileError,
            -13: ArgumentError, -14: Cancelled, -16: GoalMissed}


def _load() -> C.CDLL:
    """RESNETCOMPRESS_LIBRARY, then beside this package, then by soname."""
    given = os.environ.get("RESNETCOMPRESS_LIBRARY")
    beside = pathlib.Path(__file__).resolve().parent / NAME
    path = given or (str(beside) if beside.exists() else NAME)
    try:
        found = C.CDLL(path)
        found.rc_version_string.restype = C.c_char_p
    except (OSError, AttributeError) as e:
        raise ImportError(f"cannot load {path}: {e}; set RESNETCOMPRESS_LIBRARY to the path of {NAME}") from None
    return found


lib = _load()
lib.rc_last_error.argtypes, lib.rc_last_error.restype = [], C.c_char_p
lib.rc_status_name.argtypes, lib.rc_status_name.restype = [C.c_int], C.c_char_p


def text(value: Optional[bytes]) -> str:
    """Text from C."""
    return (value or b"").decode("utf-8", "surrogateescape")


def status_name(status: int) -> str:
    """Such as "RC_ERR_SHAPE"."""
    return text(lib.rc_status_name(status))


def version() -> str:
    """Version of the library.

    >>> rescomp.version().count(".")
    2
    """
    return text(lib.rc_version_string())


if tuple(int(x) for x in version().split(".")[:2]) < VERSION:
    raise ImportError(f"{NAME} is version {version()}, these bindings need {VERSION[0]}.{VERSION[1]} or later")
if int(version().split(".")[0]) > VERSION[0]:
    raise ImportError(f"{NAME} is version {version()}, these bindings are of version {VERSION[0]}: update the package")


# ---- exceptions and Ctrl-C inside callbacks

class _Pending(threading.local):
    error: Optional[BaseException] = None


_pending = _Pending()


def keep_error(error: BaseException) -> None:
    """Raise `error` when the library call that runs on this thread returns."""
    if _pending.error is None:
        _pending.error = error


def stopping() -> bool:
    """Whether an exception waits for the running call to end."""
    return _pending.error is not None


def _raise_kept() -> None:
    if _pending.error is not None:
        error, _pending.error = _pending.error, None
        raise error


def _check(status: int, _function: Any, _args: Any) -> None:
    _raise_kept()
    if status != 0:
        raise _CLASSES.get(status, Error)(status, text(lib.rc_last_error()))


def guard(function: Callable[..., Any], failed: Any = None) -> Callable[..., Any]:
    """`function` for C to call: keeps what it raises and answers `failed` instead."""
    def call(*args: Any) -> Any:
        try:
            return function(*args)
        except BaseException as error:  # KeyboardInterrupt as well
            keep_error(error)
            return failed
    return call


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Around a long call. Ctrl-C ends it at its next step and then is KeyboardInterrupt.

    Python's own handler would raise in the first callback, even before its `try`, and be lost there.
    """
    mine = (threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    if mine:
        signal.signal(signal.SIGINT, lambda *_: keep_error(KeyboardInterrupt()))
    try:
        yield
    finally:
        if mine:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    _raise_kept()


# ---- what crosses the border

def encode(value: str) -> bytes:
    """Text for C."""
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {type(value).__name__}")
    if "\0" in value:
        raise ArgumentError(ARG, f"{value!r} has a NUL character inside")
    return value.encode("utf-8", "surrogateescape")


def path(value: Union[str, bytes, os.PathLike[Any]]) -> bytes:
    """A str, bytes or os.PathLike for C."""
    encoded = os.fsencode(os.fspath(value))
    if b"\0" in encoded:
        raise ArgumentError(ARG, f"path {encoded!r} has a NUL character inside")
    return encoded


def precision_flags(precision: str, flags: dict[str, int]) -> int:
    """The flag for what the `precision` of sessions, evaluation or training says."""
    allowed = {"f32": 0, **flags}
    if precision not in allowed:
        raise ArgumentError(ARG, f"precision is {precision!r}, allowed are {', '.join(map(repr, allowed))}")
    return allowed[precision]


def unsigned(value: Any, name: str = "a number") -> int:
    """An integer from 0; ctypes would wrap others around."""
    number = operator.index(value)
    if not 0 <= number < 1 << 64:
        raise ArgumentError(ARG, f"{name} is {number}, must be from 0 to 2^64-1")
    return number


def zero(value: Optional[int]) -> Optional[int]:
    """For options where 0 is a choice: None is the default, 0 is 0."""
    return ZERO if value == 0 else value


def zero_real(value: Optional[float]) -> Optional[float]:
    """The same for real numbers."""
    return ZERO_REAL if value == 0 else value


_ref = C.POINTER
U, I, D, S, P = C.c_uint64, C.c_int64, C.c_double, C.c_char_p, C.c_void_p
SIZE = ("size", C.c_size_t)
LOG_FN = C.CFUNCTYPE(None, P, C.c_int32, S)
CANCEL_FN = C.CFUNCTYPE(C.c_int32, P)
IMAGE_FN = C.CFUNCTYPE(C.c_int32, P, U, P, _ref(C.c_int32))
SCORE_FN = C.CFUNCTYPE(C.c_int32, P, P, U, _ref(D), U)
COST_FN = C.CFUNCTYPE(D, P, P, U, U)


class Struct(C.Structure):
    """Sets `size`; converts and checks members; text lives as long as the struct."""

    def __init__(self, **members: Any) -> None:
        kinds: dict[str, Any] = dict(self._fields_)  # type: ignore[arg-type]
        for name, value in members.items():
            if name not in kinds:
                raise TypeError(f"unexpected option {name!r}; there are {', '.join(k for k in kinds if k != 'size')}")
            if value is None:
                continue
            kind = kinds[name]
            if kind is S:
                value = encode(value)
            elif kind is U:
                value = unsigned(value, name)
            elif kind is D:
                value = float(value)
            setattr(self, name, value)
        if "size" in kinds:
            self.size = C.sizeof(type(self))

    def as_dict(self) -> dict[str, Any]:
        out = {}
        for name, kind in self._fields_:  # type: ignore[misc]
            if name == "size":
                continue
            value = getattr(self, name)
            if kind is S:
                value = text(value)
            elif isinstance(value, Struct):
                value = value.as_dict()
            out[name] = value
        return out


class ContextOptions(Struct):
    _fields_ = [SIZE, ("allocate", P), ("release", P), ("allocator_user", P), ("max_memory", U), ("threads", U),
                ("seed", U), ("log", LOG_FN), ("log_user", P), ("cancel", CANCEL_FN), ("cancel_user", P),
                ("max_file_bytes", U), ("max_nodes", U), ("flags", U), ("choices", S)]


class DatasetOptions(Struct):
    _fields_ = [SIZE, ("split", S), ("calib_percent", U), ("holdout", U), ("mean", D * 4), ("std", D * 4),
                ("resize", U), ("crop", U), ("channels", S), ("classes", U), ("skip_bad", U), ("preprocess", S)]


class DatasetSource(Struct):
    _fields_ = [SIZE, ("get", IMAGE_FN), ("user", P), ("images", U), ("classes", U), ("channels", U),
                ("height", U), ("width", U), ("type", U)]


class StoredResult(Struct):
    _fields_ = [SIZE, ("difference", D), ("output", S), ("element", U), ("stored", D), ("computed", D),
                ("compared", U)]


class GraphInfo(Struct):
    _fields_ = [SIZE, ("nodes", U), ("parameters", U), ("macs", U), ("weight_bytes", U), ("inputs", U),
                ("outputs", U), ("opset", I), ("dynamic_batch", U)]


class GraphLoadOptions(Struct):
    _fields_ = [SIZE, ("input_shapes", _ref(S)), ("input_shape_count", U), ("data", P), ("data_size", U),
                ("flags", U)]


class GraphSaveOptions(Struct):
    _fields_ = [SIZE, ("opset", U), ("storage", S), ("form", S), ("flags", U)]


class PackOptions(Struct):
    _fields_ = [SIZE, ("coding", S), ("opset", U), ("storage", S), ("flags", U)]


class PackedInfo(Struct):
    _fields_ = [SIZE, ("major", U), ("minor", U), ("file_bytes", U), ("graph_bytes", U), ("graph_stored", U),
                ("tensors", U), ("bytes", U), ("stored", U)]


class PackedTensorInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("type", S), ("coder", S), ("entropy", S), ("bits", U), ("elements", U),
                ("bytes", U), ("stored", U)]


class NodeInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("op", S), ("rank", U), ("shape", I * 8), ("parameters", U), ("macs", U),
                ("bytes", U), ("output", S), ("operands", U), ("results", U)]


class SurveyInfo(Struct):
    _fields_ = [SIZE, ("nodes", U), ("unsupported", U), ("operators", U), ("opsets", U), ("initializers", U),
                ("functions", U), ("ir_version", I), ("producer", S)]


class SurveyOperatorInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("domain", S), ("count", U), ("supported", U)]


class SurveyOpsetInfo(Struct):
    _fields_ = [SIZE, ("domain", S), ("version", I), ("used", U)]


class SurveyNodeInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("op", S), ("domain", S), ("supported", U)]


class NetworkOptions(Struct):
    _fields_ = [SIZE, ("classes", U), ("channels", U), ("height", U), ("width", U), ("multiplier", D),
                ("shortcuts", S), ("seed", U)]


class SessionOptions(Struct):
    _fields_ = [SIZE, ("batch", U), ("threads", U), ("flags", U), ("observe", _ref(S)), ("observe_count", U)]


class SessionIoInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("rank", U), ("shape", I * 8), ("batched", U)]


class SessionStepInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("op", S), ("kernel", S), ("layout", S), ("seconds", D), ("runs", U),
                ("macs", U), ("bytes", U)]


class LatencyOptions(Struct):
    _fields_ = [SIZE, ("seconds", D), ("min_runs", U), ("max_runs", U), ("warmup", U)]


class Latency(Struct):
    _fields_ = [SIZE, ("runs", U), ("min_ms", D), ("mean_ms", D), ("median_ms", D), ("p90_ms", D), ("p99_ms", D),
                ("images_per_second", D), ("joules_per_image", D), ("energy", S)]


DEVICE_PROGRESS_FN = C.CFUNCTYPE(None, P, S, D)


class DeviceOptions(Struct):
    _fields_ = [SIZE, ("name", S), ("precisions", S), ("batch", U), ("cuts", U), ("seconds", D), ("seed", U),
                ("watts", D), ("progress", DEVICE_PROGRESS_FN), ("progress_user", P)]


class DeviceInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("energy", S), ("batch", U), ("threads", U), ("layers", U), ("times", U),
                ("watts", D), ("overhead_ms", D)]


class DevicePrediction(Struct):
    _fields_ = [SIZE, ("latency_ms", D), ("joules", D), ("layers", U), ("exact", U)]


class SystemInfo(Struct):
    _fields_ = [SIZE, ("version", S), ("onednn", S), ("isa", S), ("cpu", S), ("threads", U), ("vnni", U),
                ("bf16", U), ("png", U), ("jpeg", U), ("self_test", I), ("self_test_message", S),
                ("l1_bytes", U), ("l2_bytes", U), ("l3_bytes", U), ("cores", U), ("cpu_given", S)]


class EvaluateOptions(Struct):
    _fields_ = [SIZE, ("batch", U), ("threads", U), ("images", U), ("confusion", P), ("confusion_size", U),
                ("flags", U)]


class EvaluateResult(Struct):
    _fields_ = [SIZE, ("images", U), ("classes", U), ("top1", D), ("top5", D), ("loss", D), ("seconds", D),
                ("images_per_second", D)]


class TrainProgress(Struct):
    _fields_ = [SIZE, ("epoch", U), ("epochs", U), ("step", U), ("steps", U), ("loss", D), ("epoch_loss", D),
                ("epoch_top1", D), ("rate", D), ("images_per_second", D), ("seconds_left", D), ("top1", D),
                ("gradient_norm", D)]


PROGRESS_FN = C.CFUNCTYPE(None, P, _ref(TrainProgress))


ALL_REDUCE_FN = C.CFUNCTYPE(C.c_int32, P, _ref(C.c_float), C.c_size_t)


class TrainOptions(Struct):
    _fields_ = [SIZE, ("epochs", U), ("batch", U), ("lr", D), ("rate", S), ("optimizer", S), ("loss", S),
                ("augmentation", S), ("replays", U), ("images", U), ("seed", U), ("threads", U), ("ema", D),
                ("bn_images", U), ("validation", P), ("keep_best", U), ("checkpoint", S), ("checkpoint_steps", U),
                ("resume", U), ("progress", PROGRESS_FN), ("progress_user", P), ("flags", U),
                ("all_reduce", ALL_REDUCE_FN), ("all_reduce_user", P), ("ranks", U), ("rank", U), ("memory", U), ("seconds", D),
                ("clip", D), ("accumulate", U), ("swa", D), ("layer_rates", S), ("patience", U), ("events", S)]


class TrainResult(Struct):
    _fields_ = [SIZE, ("epochs", U), ("steps", U), ("best_epoch", U), ("loss", D), ("train_top1", D), ("top1", D),
                ("seconds", D), ("images_per_second", D), ("activation_bytes", U)]


class RateTest(Struct):
    _fields_ = [SIZE, ("steps", U), ("first", D), ("last", D)]


class RateTestResult(Struct):
    _fields_ = [SIZE, ("steps", U), ("rate", D), ("least", D), ("steepest", D)]


class DistillOptions(Struct):
    _fields_ = [SIZE, ("temperature", D), ("alpha", D), ("loss", S), ("cache_bytes", U), ("hints", _ref(S)),
                ("hint_count", U)]


class SparsifyOptions(Struct):
    _fields_ = [SIZE, ("method", S), ("keep", _ref(S)), ("keep_count", U), ("trunk", U)]


class PruneOptions(Struct):
    _fields_ = [SIZE, ("criterion", S), ("allocation", S), ("reduction", S), ("normalizer", S), ("macs", D),
                ("parameters", D), ("ratio", D), ("max_cut", D), ("round_to", U), ("min_channels", U),
                ("keep", _ref(S)), ("keep_count", U), ("trunk", U), ("repair", S), ("dataset", P), ("images", U),
                ("batch", U), ("seed", U), ("flags", U), ("score", SCORE_FN), ("score_user", P),
                ("scope", S), ("scopes", _ref(S)), ("scope_count", U), ("ratios", _ref(S)), ("ratio_count", U),
                ("bytes", U), ("schedule", S), ("cost", COST_FN), ("cost_user", P), ("cost_keep", D)]


class PruneGroupInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("channels", U), ("width", U), ("kept", U), ("members", U), ("producers", U),
                ("may_cut", U), ("reason", S), ("macs", U), ("parameters", U)]


class PruneBlockInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("add", S), ("cut", U), ("macs", U), ("parameters", U), ("error", D)]


class PruneMemberInfo(Struct):
    _fields_ = [SIZE, ("node", S), ("weight", S), ("axis", U), ("role", U)]


class PruneResult(Struct):
    _fields_ = [SIZE, ("macs_before", U), ("macs_after", U), ("parameters_before", U), ("parameters_after", U),
                ("channels_before", U), ("channels_after", U), ("groups_cut", U), ("blocks_cut", U)]


class QuantizeOptions(Struct):
    _fields_ = [SIZE, ("observer", S), ("images", U), ("batch", U), ("weight_bits", U), ("flags", U),
                ("tensorrt", S), ("activation_bits", U), ("overrides", _ref(S)), ("override_count", U),
                ("skip", _ref(S)), ("skip_count", U), ("target", S), ("rounding", S),
                ("qat", S), ("norm", S)]


class QuantizeEntryInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("low", D), ("high", D), ("amax", D), ("scale", D), ("is_signed", U)]


class MethodKindInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("summary", S), ("methods", U)]


class MethodInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("summary", S), ("source", S), ("parameters", U)]


class ParameterInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("summary", S), ("type", U), ("default_value", D), ("min", D), ("max", D)]


class ReportStep(Struct):
    _fields_ = [SIZE, ("name", S), ("top1", D), ("median_ms", D), ("file_bytes", U), ("weight_bytes", U),
                ("macs", U), ("parameters", U), ("seconds", D), ("kept", U), ("note", S), ("top1_on", S)]


class CompressProgress(Struct):
    _fields_ = [SIZE, ("stage", S), ("detail", S), ("fraction", D), ("index", U), ("stages", U)]


GRAPH_COST_FN = C.CFUNCTYPE(C.c_int32, P, P, _ref(D))
COMPRESS_PROGRESS_FN = C.CFUNCTYPE(None, P, _ref(CompressProgress))


class CompressOptions(Struct):
    _fields_ = [SIZE, ("recipe", S), ("train", P), ("calib", P), ("test", P), ("teacher", P), ("max_drop", D),
                ("size_ratio", D), ("latency_ratio", D), ("target", S), ("folder", S), ("resume", U), ("table", S),
                ("report", P), ("progress", COMPRESS_PROGRESS_FN), ("progress_user", P), ("macs_ratio", D),
                ("energy_ratio", D), ("cost_ratio", D), ("cost", GRAPH_COST_FN), ("cost_user", P), ("minutes", D),
                ("device", P), ("packed", U), ("points", S), ("search", S),
                ("evaluations", U)]


class CompressResult(Struct):
    _fields_ = [SIZE, ("top1_before", D), ("top1_after", D), ("calib_top1_before", D), ("calib_top1_after", D),
                ("median_ms_before", D), ("median_ms_after", D), ("file_bytes_before", U), ("file_bytes_after", U),
                ("weight_bytes_before", U), ("weight_bytes_after", U), ("macs_before", U), ("macs_after", U),
                ("parameters_before", U), ("parameters_after", U), ("attempts", U), ("kept", U), ("seconds", D),
                ("joules_before", D), ("joules_after", D)]


_out, _int = _ref(P), C.c_int32
STATUS = object()  # marks functions that return rc_status; failures raise
_FUNCTIONS = {  # name: (what it returns, argument types)
    "rc_context_new": (STATUS, [_out, _ref(ContextOptions)]),
    "rc_context_free": (None, [_out]),
    "rc_context_get_memory": (STATUS, [P, _ref(U), _ref(U)]),
    "rc_system_get_info": (STATUS, [P, _ref(SystemInfo)]),
    "rc_graph_load": (STATUS, [_out, P, S]),
    "rc_graph_load_memory": (STATUS, [_out, P, P, C.c_size_t]),
    "rc_graph_load_with": (STATUS, [_out, P, S, _ref(GraphLoadOptions)]),
    "rc_graph_save": (STATUS, [P, S]),
    "rc_graph_save_with": (STATUS, [P, S, _ref(GraphSaveOptions)]),
    "rc_graph_save_packed": (STATUS, [P, S, _ref(PackOptions)]),
    "rc_packed_new": (STATUS, [_out, P, S]),
    "rc_packed_free": (None, [_out]),
    "rc_packed_get_info": (STATUS, [P, _ref(PackedInfo)]),
    "rc_packed_get_tensor": (STATUS, [P, U, _ref(PackedTensorInfo)]),
    "rc_graph_clone": (STATUS, [_out, P]),
    "rc_graph_free": (None, [_out]),
    "rc_graph_fuse": (STATUS, [P]),
    "rc_graph_compare_stored": (STATUS, [P, S, D, _ref(StoredResult)]),
    "rc_graph_get_info": (STATUS, [P, _ref(GraphInfo)]),
    "rc_graph_get_node": (STATUS, [P, U, _ref(NodeInfo)]),
    "rc_graph_get_operand": (STATUS, [P, U, U, _ref(S), _ref(U)]),
    "rc_graph_get_result": (STATUS, [P, U, U, _ref(S)]),
    "rc_survey_new": (STATUS, [_out, P, S]),
    "rc_survey_free": (None, [_out]),
    "rc_survey_get_info": (STATUS, [P, _ref(SurveyInfo)]),
    "rc_survey_get_operator": (STATUS, [P, U, _ref(SurveyOperatorInfo)]),
    "rc_survey_get_opset": (STATUS, [P, U, _ref(SurveyOpsetInfo)]),
    "rc_survey_get_node": (STATUS, [P, U, _ref(SurveyNodeInfo)]),
    "rc_graph_get_weight": (STATUS, [P, S, _ref(_ref(C.c_float)), _ref(I), _ref(U)]),
    "rc_graph_get_metadata": (STATUS, [P, S, _ref(S)]),
    "rc_graph_set_metadata": (STATUS, [P, S, S]),
    "rc_graph_new_network": (STATUS, [_out, P, S, _ref(NetworkOptions)]),
    "rc_graph_reestimate_bn": (STATUS, [P, P, U, U]),
    "rc_session_new": (STATUS, [_out, P, _ref(SessionOptions)]),
    "rc_session_load": (STATUS, [_out, P, S, _ref(SessionOptions)]),
    "rc_session_free": (None, [_out]),
    "rc_session_run": (STATUS, [P, U, _ref(P), _ref(P)]),
    "rc_session_count_inputs": (U, [P]),
    "rc_session_count_outputs": (U, [P]),
    "rc_session_get_input": (STATUS, [P, U, _ref(SessionIoInfo)]),
    "rc_session_get_output": (STATUS, [P, U, _ref(SessionIoInfo)]),
    "rc_session_count_steps": (U, [P]),
    "rc_session_get_step": (STATUS, [P, U, _ref(SessionStepInfo)]),
    "rc_session_get_memory": (STATUS, [P, _ref(U), _ref(U)]),
    "rc_measure_latency": (STATUS, [P, _ref(P), U, _ref(LatencyOptions), _ref(Latency)]),
    "rc_device_profile": (STATUS, [_out, P, _ref(P), U, _ref(DeviceOptions)]),
    "rc_device_load": (STATUS, [_out, P, S]),
    "rc_device_save": (STATUS, [P, S]),
    "rc_device_free": (None, [_out]),
    "rc_device_get_info": (STATUS, [P, _ref(DeviceInfo)]),
    "rc_device_predict": (STATUS, [P, P, _ref(DevicePrediction)]),
    "rc_dataset_open": (STATUS, [_out, P, S, _ref(DatasetOptions)]),
    "rc_dataset_new_callback": (STATUS, [_out, P, _ref(DatasetSource), _ref(DatasetOptions)]),
    "rc_dataset_free": (None, [_out]),
    "rc_dataset_count_images": (U, [P]),
    "rc_dataset_count_classes": (U, [P]),
    "rc_dataset_get_shape": (STATUS, [P, _ref(I)]),
    "rc_dataset_get_class_name": (S, [P, U]),
    "rc_dataset_read": (STATUS, [P, U, U, P, P]),
    "rc_dataset_get_preprocess": (S, [P]),
    "rc_evaluate": (STATUS, [P, P, _ref(EvaluateOptions), _ref(EvaluateResult)]),
    "rc_trainer_new": (STATUS, [_out, P, P, _ref(TrainOptions)]),
    "rc_trainer_run": (STATUS, [P, _ref(TrainResult)]),
    "rc_trainer_find_rate": (STATUS, [P, _ref(RateTest), _ref(RateTestResult), _ref(D), _ref(D)]),
    "rc_trainer_free": (None, [_out]),
    "rc_distiller_new": (STATUS, [_out, P, _ref(DistillOptions)]),
    "rc_distiller_attach": (STATUS, [P, P]),
    "rc_distiller_free": (None, [_out]),
    "rc_sparsifier_new": (STATUS, [_out, P, _ref(SparsifyOptions)]),
    "rc_sparsifier_free": (None, [_out]),
    "rc_pruner_new": (STATUS, [_out, P, _ref(PruneOptions)]),
    "rc_pruner_free": (None, [_out]),
    "rc_pruner_count_groups": (U, [P]),
    "rc_pruner_get_group": (STATUS, [P, U, _ref(PruneGroupInfo)]),
    "rc_pruner_get_member": (STATUS, [P, U, U, _ref(PruneMemberInfo)]),
    "rc_pruner_count_blocks": (U, [P]),
    "rc_pruner_get_block": (STATUS, [P, U, _ref(PruneBlockInfo)]),
    "rc_pruner_cut_block": (STATUS, [P, U]),
    "rc_pruner_get_scores": (STATUS, [P, U, _ref(_ref(D)), _ref(U)]),
    "rc_pruner_plan": (STATUS, [P, _ref(PruneResult)]),
    "rc_pruner_set_kept": (STATUS, [P, U, U]),
    "rc_pruner_cut": (STATUS, [P, U, _ref(U), U]),
    "rc_pruner_save_history": (STATUS, [P, S]),
    "rc_pruner_replay_history": (STATUS, [P, S]),
    "rc_pruner_apply": (STATUS, [_out, P, _ref(PruneResult)]),
    "rc_quantizer_new": (STATUS, [_out, P, _ref(QuantizeOptions)]),
    "rc_quantizer_free": (None, [_out]),
    "rc_quantizer_calibrate": (STATUS, [P, P]),
    "rc_quantizer_save_table": (STATUS, [P, S, S]),
    "rc_quantizer_load_table": (STATUS, [P, S, S]),
    "rc_quantizer_apply": (STATUS, [_out, P]),
    "rc_quantizer_attach": (STATUS, [P, P]),
    "rc_quantizer_finish": (STATUS, [_out, P]),
    "rc_quantizer_count_entries": (U, [P]),
    "rc_quantizer_get_entry": (STATUS, [P, U, _ref(QuantizeEntryInfo)]),
    "rc_method_count_kinds": (U, []),
    "rc_method_get_kind": (STATUS, [U, _ref(MethodKindInfo)]),
    "rc_method_get": (STATUS, [S, U, _ref(MethodInfo)]),
    "rc_method_get_parameter": (STATUS, [S, U, U, _ref(ParameterInfo)]),
    "rc_compress": (STATUS, [_out, P, _ref(CompressOptions), _ref(CompressResult)]),
    "rc_recipe_check": (STATUS, [P, S]),
    "rc_recipe_get_default": (S, []),
    "rc_report_new": (STATUS, [_out, P, S]),
    "rc_report_free": (None, [_out]),
    "rc_report_set_fact": (STATUS, [P, S, S]),
    "rc_report_add_step": (STATUS, [P, _ref(ReportStep)]),
    "rc_report_set_summary": (STATUS, [P, _int, _ref(ReportStep)]),
    "rc_report_set_layers": (STATUS, [P, P, P]),
    "rc_report_set_times": (STATUS, [P, _int, P]),
    "rc_report_get_json": (STATUS, [P, _ref(S)]),
    "rc_report_get_html": (STATUS, [P, _ref(S)]),
    "rc_report_save": (STATUS, [P, S]),
    "rc_report_load": (STATUS, [_out, P, S]),
    "rc_report_compare": (STATUS, [_out, P, P]),
}
ABSENT = {  # public functions that are left out, and why
    "rc_dataset_get_label": "Dataset.labels() reads all of them in one call",
    "rc_npy_read": "NumPy does it",
    "rc_npy_read_shape": "NumPy does it",
    "rc_npy_write": "NumPy does it",
    "rc_version_number": "version() gives the text",
}


def _declare() -> None:
    for name, (returns, args) in _FUNCTIONS.items():
        try:
            function = getattr(lib, name)
        except AttributeError:
            raise ImportError(f"{NAME} {version()} has no {name}: it does not fit these bindings") from None
        function.argtypes = args
        function.restype = C.c_int if returns is STATUS else returns
        if returns is STATUS:
            function.errcheck = _check


_declare()


# ---- small helpers, so that no other file needs ctypes

ref = C.byref


def pointer() -> C.c_void_p:
    """Room for a handle."""
    return C.c_void_p()


def array_pointer(array: Optional[NDArray[Any]]) -> C.c_void_p:
    return C.c_void_p(None if array is None else array.ctypes.data)


def pointers(values: Sequence[Any]) -> Any:
    """Addresses of arrays, or handles, as a C array."""
    return (P * len(values))(*[v.ctypes.data if isinstance(v, np.ndarray) else v.value for v in values])


def zeros(n: int) -> C.Array[C.c_double]:
    """An array of n zeros that the library fills."""
    return (D * n)()


def texts(values: Sequence[str]) -> Any:
    return (S * len(values))(*[encode(v) for v in values])


def doubles(values: Sequence[float], room: int, name: str) -> Any:
    values = list(values)
    if len(values) > room:
        raise ArgumentError(ARG, f"{name} has {len(values)} numbers, at most {room} are allowed")
    return (D * room)(*values)


def structs(kind: Any, count: int) -> Any:
    """A C array of structs with their sizes set."""
    array = (kind * count)()
    for s in array:
        s.size = C.sizeof(kind)
    return array


def two_numbers(function: Any, handle: Any) -> tuple[int, int]:
    """Call function(handle, &a, &b)."""
    a, b = U(), U()
    function(handle, C.byref(a), C.byref(b))
    return a.value, b.value


def one_text(function: Any, *args: Any) -> Optional[str]:
    """Call function(args..., &text)."""
    value = S()
    function(*args, C.byref(value))
    return None if value.value is None else text(value.value)


def session_io(session: Any, count: Any, get: Any) -> tuple[list[tuple[str, tuple[int, ...]]], list[bool]]:
    """(name, shape) of all inputs or outputs, and whether axis 0 is the batch: `count` and `get` are the functions
    for one of the two."""
    out, batched = [], []
    for i in range(count(session)):
        info = SessionIoInfo()
        get(session, i, info)
        out.append((text(info.name), tuple(info.shape[:info.rank])))
        batched.append(bool(info.batched))
    return out, batched


def dataset_shape(dataset: Any) -> tuple[int, int, int]:
    dims = (I * 3)()
    lib.rc_dataset_get_shape(dataset, dims)
    return dims[0], dims[1], dims[2]


def weight(graph: Any, name: str) -> Optional[NDArray[np.float32]]:
    """A copy; None when it is not f32."""
    data, dims, rank = _ref(C.c_float)(), (I * 8)(), U()
    lib.rc_graph_get_weight(graph, encode(name), C.byref(data), dims, C.byref(rank))
    shape = tuple(dims[:rank.value])
    if 0 in shape:
        return np.empty(shape, np.float32)
    if not data:
        return None
    return np.ctypeslib.as_array(data, shape=shape or (1,)).reshape(shape).copy()


class _Keeper:
    """Stands in a graph's `views` as long as an array views its memory."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        owner.views.add(self)


def weight_view(owner: Any, name: str) -> Optional[NDArray[np.float32]]:
    """The constant's own memory, which keeps `owner` alive; None when it is not f32."""
    data, dims, rank = _ref(C.c_float)(), (I * 8)(), U()
    lib.rc_graph_get_weight(owner, encode(name), C.byref(data), dims, C.byref(rank))
    shape = tuple(dims[:rank.value])
    if 0 in shape or not data:
        return np.empty(shape, np.float32) if 0 in shape else None
    buffer: Any = (C.c_float * int(np.prod(shape))).from_address(C.addressof(data.contents))
    buffer.keeper = _Keeper(owner)  # an array's base, and theirs, up to here
    return np.frombuffer(buffer, np.float32).reshape(shape)


def constants(graph: Any, nodes: int, operands: Callable[[int], int]) -> list[str]:
    """Names of the constants that nodes read, in execution order; operands(i) of node i."""
    names: dict[str, None] = {}
    name, constant = S(), U()
    for i in range(nodes):
        for k in range(operands(i)):
            lib.rc_graph_get_operand(graph, i, k, C.byref(name), C.byref(constant))
            if constant.value:
                names[text(name.value)] = None
    return list(names)


def scores(pruner: Any, group: int) -> NDArray[np.float64]:
    data, count = _ref(D)(), U()
    lib.rc_pruner_get_scores(pruner, unsigned(group, "group"), C.byref(data), C.byref(count))
    return np.ctypeslib.as_array(data, shape=(count.value,)).copy()


def cut(pruner: Any, group: int, channels: Sequence[int]) -> None:
    given = [unsigned(c, "a channel") for c in channels]
    lib.rc_pruner_cut(pruner, unsigned(group, "group"), (U * len(given))(*given), len(given))


# ---- callbacks; the caller keeps what these return alive

def log_callback(log: Optional[Callable[[int, str], None]]) -> Any:
    return LOG_FN(guard(lambda _user, level, line: log(level, text(line)))) if log else LOG_FN()


def cancel_callback(cancel: Optional[Callable[[], Any]]) -> Any:
    return CANCEL_FN(guard(lambda _user: int(stopping() or bool(cancel and cancel())), 1))


def device_progress(progress: Optional[Callable[..., Any]]) -> Any:
    """progress(what, fraction) for C."""
    return DEVICE_PROGRESS_FN(guard(lambda _user, what, fraction: progress(text(what), fraction))) if progress \
        else DEVICE_PROGRESS_FN()


def progress_callback(kind: Any, progress: Callable[[dict[str, Any]], None]) -> Any:
    return kind(guard(lambda _user, p: None if stopping() else progress(p.contents.as_dict())))


def all_reduce_callback(reduce: Callable[[NDArray[np.float32]], Any]) -> Any:
    """reduce(array) sums in place over the ranks."""
    def deliver(_user: Any, data: Any, n: int) -> int:
        if stopping():
            return CANCELLED
        buffer: Any = (C.c_float * n).from_address(C.addressof(data.contents))
        reduce(np.frombuffer(buffer, np.float32))  # as_array's type is "<f4" to others, which mpi4py refuses
        return 0
    return ALL_REDUCE_FN(guard(deliver, CANCELLED))


def image_callback(get: Callable[[int], tuple[Any, int]], label_of: Optional[Callable[[int], int]],
                   shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """get(index) -> (array or address, label); label_of(index), if there is one, gives labels alone."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize

    def deliver(_user: Any, index: int, image: Any, label: Any) -> int:
        if stopping():
            return 1
        if image is None and label_of:
            label[0] = label_of(index)
            return 0
        source, label[0] = get(index)
        if image is None:
            return 0
        if not isinstance(source, int):
            source = np.ascontiguousarray(source)
            if source.shape != shape or source.dtype != dtype:
                raise ArgumentError(SHAPE, f"image {index} is {source.dtype} {source.shape}, "
                                           f"must be {np.dtype(dtype)} {shape}")
            C.memmove(image, source.ctypes.data, size)
        else:
            C.memmove(image, source, size)
        return 0
    return IMAGE_FN(guard(deliver, 1))


def graph_cost_callback(cost: Callable[[Any], float]) -> Any:
    """cost(pointer to a graph) -> a number above 0."""
    def deliver(_user: Any, graph: Any, out: Any) -> int:
        if stopping():
            return 1
        out[0] = cost(graph)
        return 0
    return GRAPH_COST_FN(guard(deliver, 1))


def score_callback(score: Callable[[int], Any]) -> Any:
    """score(group) -> one number per channel."""
    def deliver(_user: Any, _pruner: Any, group: int, out: Any, count: int) -> int:
        if stopping():
            return 1
        values = np.asarray(score(group), np.float64)
        if values.shape != (count,):
            raise ArgumentError(SHAPE, f"scores of group {group} have shape {values.shape}, must be ({count},)")
        np.ctypeslib.as_array(out, shape=(count,))[:] = values
        return 0
    return SCORE_FN(guard(deliver, 1))


def cost_callback(cost: Callable[[int, int], float]) -> Any:
    """cost(group, kept) -> a number."""
    return COST_FN(guard(lambda _user, _pruner, group, kept: float(cost(group, kept)), float("nan")))
