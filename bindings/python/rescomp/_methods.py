"""What this build can do: every method with its parameters."""
from __future__ import annotations

from typing import Any, Optional

from . import _ffi
from ._ffi import lib

_TYPES = {1: "integer", 2: "real", 3: "boolean"}


def _filled(struct: type[_ffi.Struct], function: Any, *args: Any) -> dict[str, Any]:
    info = struct()
    function(*args, info)
    return info.as_dict()


def _parameter(kind: str, method: int, index: int) -> dict[str, Any]:
    p = _filled(_ffi.ParameterInfo, lib.rc_method_get_parameter, _ffi.encode(kind), method, index)
    p["type"] = _TYPES.get(p["type"], str(p["type"]))
    p["default"] = p.pop("default_value")
    return p


def _method(kind: str, index: int) -> dict[str, Any]:
    m = _filled(_ffi.MethodInfo, lib.rc_method_get, _ffi.encode(kind), index)
    m["parameters"] = [_parameter(kind, index, i) for i in range(m["parameters"])]
    return m


def methods(kind: Optional[str] = None) -> Any:
    """All methods of `kind` ("optimizer", "criterion", ...) as a list of dicts (name, summary, source,
    parameters); without `kind` a dict of these lists. Specs read "name:key=value,key=value".

    >>> [m["name"] for m in rescomp.methods("optimizer")][:2]
    ['adamw', 'lamb']
    >>> "criterion" in rescomp.methods()
    True
    """
    kinds = {k["name"]: k["methods"] for k in (_filled(_ffi.MethodKindInfo, lib.rc_method_get_kind, i)
                                               for i in range(lib.rc_method_count_kinds()))}
    if kind is None:
        return {k: [_method(k, i) for i in range(n)] for k, n in kinds.items()}
    if kind not in kinds:
        raise _ffi.ArgumentError(_ffi.ARG, f"no kind of method {kind!r}; there are {', '.join(kinds)}")
    return [_method(kind, i) for i in range(kinds[kind])]
