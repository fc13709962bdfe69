"""Structured pruning: whole channels are removed."""
from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy as np

from . import _ffi
from ._core import Graph
from ._data import Dataset
from ._ffi import lib
from ._handle import Handle

_TRUNK = {"auto": 0, "cut": 1, "keep": 2}
_ROLES = {1: "makes", 2: "scales", 3: "reads", 4: "follows"}


class Pruner(Handle):
    """Finds channels that must be cut together, scores them, plans and cuts. The graph stays as it is.

    Options are those of rc_prune_options; 0 and None mean the default. Targets are fractions kept:
    `macs`, `parameters`, `ratio`; without any, macs is 0.5. `trunk` is "auto", "cut" or "keep".
    """

    _free = "rc_pruner_free"

    def __init__(self, graph: Graph, *, macs: float = 0.0, parameters: float = 0.0, ratio: float = 0.0,
                 criterion: Optional[str] = None, allocation: Optional[str] = None, reduction: Optional[str] = None,
                 normalizer: Optional[str] = None, max_cut: float = 0.0, round_to: int = 0, min_channels: int = 0,
                 keep: Sequence[str] = (), trunk: str = "auto", repair: Optional[str] = None,
                 dataset: Optional[Dataset] = None, images: int = 0, batch: int = 0, seed: int = 0) -> None:
        if trunk not in _TRUNK:
            raise _ffi.ArgumentError(_ffi.ARG, f"trunk is {trunk!r}, must be one of {', '.join(_TRUNK)}")
        if isinstance(keep, str):
            keep = [keep]
        self._context = graph._context
        super().__init__(self._context, *([] if dataset is None else [dataset]))
        names = _ffi.texts(keep)
        options = _ffi.PruneOptions(
            criterion=criterion, allocation=allocation, reduction=reduction, normalizer=normalizer, macs=macs,
            parameters=parameters, ratio=ratio, max_cut=max_cut, round_to=round_to, min_channels=min_channels,
            keep=names, keep_count=len(names), trunk=_TRUNK[trunk], repair=repair,
            dataset=None if dataset is None else dataset._h.pointer, images=images, batch=batch, seed=seed)
        with _ffi.interruptible():
            lib.rc_pruner_new(self._new, graph._h, options)
        #: what the last plan() or apply() gains: macs_before, macs_after, parameters_before, ...
        self.result: Optional[dict[str, int]] = None

    def groups(self, members: bool = False) -> list[dict[str, Any]]:
        """One dict per group: name, channels, kept, may_cut, reason, macs, parameters, ...

        With `members`, "members" is the list of weights that are cut along instead of their number.
        """
        out = []
        for g in range(lib.rc_pruner_count_groups(self._h)):
            info = _ffi.PruneGroupInfo()
            lib.rc_pruner_get_group(self._h, g, info)
            d = info.as_dict()
            d["may_cut"] = bool(d["may_cut"])
            if members:
                d["members"] = [self._member(g, m) for m in range(d["members"])]
            out.append(d)
        return out

    def _member(self, group, member):
        info = _ffi.PruneMemberInfo()
        lib.rc_pruner_get_member(self._h, group, member, info)
        d = info.as_dict()
        d["role"] = _ROLES.get(d["role"], str(d["role"]))
        return d

    def scores(self, group: int) -> np.ndarray:
        """Scores of a group's channels, float64: higher is kept."""
        with self._lock, _ffi.interruptible():
            return _ffi.scores(self._h, group)

    def plan(self) -> dict[str, int]:
        """Choose what every group keeps, without cutting; returns what that gains.

        GoalMissed: a target cannot be reached; the plan is then the smallest one, and apply() cuts it.
        """
        result = _ffi.PruneResult()
        try:
            with self._lock, _ffi.interruptible():
                lib.rc_pruner_plan(self._h, result)
        finally:
            self.result = result.as_dict()
        return self.result

    def set_kept(self, group: int, kept: int) -> None:
        """Change the plan: a group keeps its `kept` best channels."""
        with self._lock, _ffi.interruptible():
            lib.rc_pruner_set_kept(self._h, _ffi.unsigned(group, "group"), _ffi.unsigned(kept, "kept"))

    def apply(self) -> Graph:
        """Cut by the current plan (made now, if there is none) and repair: a new, smaller graph.

        GoalMissed: the plan was made now and misses a target; `.graph` is the smallest one there is.
        """
        graph, result = Graph(self._context), _ffi.PruneResult()
        with self._lock, _ffi.interruptible():
            try:
                lib.rc_pruner_apply(graph._new, self._h, result)
            except _ffi.GoalMissed as missed:
                missed.graph, missed.result = graph, result.as_dict()
                raise
            finally:
                self.result = result.as_dict()
        return graph


def prune(graph: Graph, **options: Any) -> Graph:
    """Pruner(graph, ...).apply(): a new, smaller graph."""
    with Pruner(graph, **options) as pruner:
        return pruner.apply()
