"""The only file that knows ctypes: one Struct per options struct, one row per function."""
import ctypes as C
import os
import pathlib

NAME = "libresnetcompress.so.0"
VERSION = (0, 1)  # the least major and minor version these bindings need


class Error(Exception):
    """A failed call. `status` is the rc_status value, `name` its name, the text the library's."""

    def __init__(self, status, message):
        super().__init__(message or status_name(status))
        self.status = status
        self.name = status_name(status)


class ArgumentError(Error, ValueError):
    """An argument breaks a documented rule (RC_ERR_ARG, RC_ERR_SHAPE, RC_ERR_ABI)."""


class OutOfMemory(Error, MemoryError):
    """RC_ERR_MEMORY."""


class FileError(Error, OSError):
    """RC_ERR_IO, RC_ERR_PATH."""


class Cancelled(Error):
    """RC_ERR_CANCELLED."""


_CLASSES = {-1: ArgumentError, -2: OutOfMemory, -3: ArgumentError, -5: ArgumentError, -10: FileError,
            -11: FileError, -14: Cancelled}


def _load():
    """RESNETCOMPRESS_LIBRARY, then beside this package, then by soname."""
    given = os.environ.get("RESNETCOMPRESS_LIBRARY")
    beside = pathlib.Path(__file__).resolve().parent / NAME
    path = given or (str(beside) if beside.exists() else NAME)
    try:
        return C.CDLL(path)
    except OSError as e:
        raise ImportError(f"cannot load {path}: {e}; set RESNETCOMPRESS_LIBRARY to the path of {NAME}") from None


lib = _load()
lib.rc_last_error.argtypes, lib.rc_last_error.restype = [], C.c_char_p
lib.rc_status_name.argtypes, lib.rc_status_name.restype = [C.c_int], C.c_char_p
lib.rc_version_string.argtypes, lib.rc_version_string.restype = [], C.c_char_p


def status_name(status):
    return lib.rc_status_name(status).decode()


def version():
    return lib.rc_version_string().decode()


if tuple(int(x) for x in version().split(".")[:2]) < VERSION:
    raise ImportError(f"{NAME} is version {version()}, these bindings need {VERSION[0]}.{VERSION[1]} or later")


def _check(status, function, _args):
    if status != 0:
        raise _CLASSES.get(status, Error)(status, lib.rc_last_error().decode("utf-8", "replace"))


class Struct(C.Structure):
    """Fills in `size`; text becomes bytes that live as long as the struct."""

    def __init__(self, **members):
        members = {k: v.encode() if isinstance(v, str) else v for k, v in members.items() if v is not None}
        super().__init__(size=C.sizeof(type(self)), **members)

    def as_dict(self):
        out = {}
        for name, kind in self._fields_:
            if name == "size" or name in getattr(self, "hidden", ()):
                continue
            value = getattr(self, name)
            out[name] = value.decode() if isinstance(value, bytes) else value
        return out


_ref = C.POINTER
U, I, D, S, P = C.c_uint64, C.c_int64, C.c_double, C.c_char_p, C.c_void_p
SIZE = ("size", C.c_size_t)
LOG_FN = C.CFUNCTYPE(None, P, C.c_int32, S)
CANCEL_FN = C.CFUNCTYPE(C.c_int32, P)


class ContextOptions(Struct):
    _fields_ = [SIZE, ("allocate", P), ("release", P), ("allocator_user", P), ("max_memory", U), ("threads", U),
                ("seed", U), ("log", LOG_FN), ("log_user", P), ("cancel", CANCEL_FN), ("cancel_user", P),
                ("max_file_bytes", U), ("max_nodes", U), ("flags", U)]


class GraphInfo(Struct):
    _fields_ = [SIZE, ("nodes", U), ("parameters", U), ("macs", U), ("weight_bytes", U), ("inputs", U),
                ("outputs", U), ("opset", I), ("dynamic_batch", U)]


class NodeInfo(Struct):
    _fields_ = [SIZE, ("name", S), ("op", S), ("rank", U), ("shape", I * 8), ("parameters", U), ("macs", U),
                ("bytes", U), ("output", S)]


class NetworkOptions(Struct):
    _fields_ = [SIZE, ("classes", U), ("channels", U), ("height", U), ("width", U), ("multiplier", D),
                ("option_b", U), ("seed", U)]


class SessionOptions(Struct):
    _fields_ = [SIZE, ("batch", U), ("threads", U), ("flags", U), ("observe", _ref(S)), ("observe_count", U)]


class LatencyOptions(Struct):
    _fields_ = [SIZE, ("seconds", D), ("min_runs", U), ("max_runs", U), ("warmup", U)]


class Latency(Struct):
    _fields_ = [SIZE, ("runs", U), ("min_ms", D), ("mean_ms", D), ("median_ms", D), ("p90_ms", D), ("p99_ms", D),
                ("images_per_second", D)]


class SystemInfo(Struct):
    _fields_ = [SIZE, ("version", S), ("onednn", S), ("isa", S), ("cpu", S), ("threads", U), ("vnni", U),
                ("bf16", U), ("png", U), ("jpeg", U), ("self_test", I), ("self_test_message", S)]


_out = _ref(P)
_FUNCTIONS = {  # name: (may fail, argument types)
    "rc_context_new": (True, [_out, _ref(ContextOptions)]),
    "rc_context_free": (False, [_out]),
    "rc_context_memory": (True, [P, _ref(U), _ref(U)]),
    "rc_graph_load": (True, [_out, P, S]),
    "rc_graph_load_memory": (True, [_out, P, P, C.c_size_t]),
    "rc_graph_save": (True, [P, S]),
    "rc_graph_copy": (True, [_out, P]),
    "rc_graph_free": (False, [_out]),
    "rc_graph_fuse": (True, [P]),
    "rc_graph_get_info": (True, [P, _ref(GraphInfo)]),
    "rc_graph_get_node": (True, [P, U, _ref(NodeInfo)]),
    "rc_graph_get_weight": (True, [P, S, _ref(_ref(C.c_float)), _ref(I), _ref(U)]),
    "rc_graph_get_meta": (True, [P, S, _ref(S)]),
    "rc_graph_set_metadata": (True, [P, S, S]),
    "rc_graph_create_network": (True, [_out, P, S, _ref(NetworkOptions)]),
    "rc_session_new": (True, [_out, P, _ref(SessionOptions)]),
    "rc_session_free": (False, [_out]),
    "rc_session_run": (True, [P, U, _ref(P), _ref(P)]),
    "rc_session_io": (True, [P, C.c_int32, U, _ref(S), _ref(I), _ref(U)]),
    "rc_measure_latency": (True, [P, _ref(P), U, _ref(LatencyOptions), _ref(Latency)]),
    "rc_system_get_info": (True, [P, _ref(SystemInfo)]),
}


def declare(functions):
    for name, (fails, args) in functions.items():
        f = getattr(lib, name)
        f.argtypes, f.restype = args, C.c_int if fails else None
        if fails:
            f.errcheck = _check


declare(_FUNCTIONS)
lib.rc_session_count.argtypes, lib.rc_session_count.restype = [P, C.c_int32], U


def path_bytes(path):
    return os.fsencode(os.fspath(path))


def pointers(arrays):
    """A C array of pointers to NumPy arrays (None: NULL). The arrays must outlive the call."""
    return (P * len(arrays))(*[None if a is None else a.ctypes.data for a in arrays])
