"""Structured pruning: whole channels are removed."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, Sequence, Union

from . import _ffi, _html
from ._core import Graph, Path
from ._data import Dataset
from ._ffi import lib
from ._handle import Handle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TRUNK = {"auto": 0, "cut": 1, "keep": 2}
_ROLES = {1: "makes", 2: "scales", 3: "reads", 4: "follows"}


class Pruner(Handle):
    """Finds channels that must be cut together, scores them, plans and cuts. The graph stays as it is.

    Options are those of rc_prune_options; 0 and None mean the default. Targets are fractions kept:
    `macs`, `parameters`, `ratio`; without any, macs is 0.5. `trunk` is "auto", "cut" or "keep".
    `criterion` is a method's name, or scores of your own, higher = keep: a function that gets the dict of a
    group (as in groups(members=True), with "index") and returns one number per channel, or a dict of such
    arrays by group name. `scope` is "global", "local" or "isomorphic"; `scopes` are lists of layers that
    compete with each other only ("conv*" or "a,b=0.5", which keeps half); `ratios` maps patterns of layers to
    what each of them keeps; `max_bytes` is a target too; `schedule` is
    the way there in several rounds ("linear:steps=3"). `cost` is a cost of your own, a function of a group's index
    and of how many channels it keeps; `cost_keep` is the fraction of their sum that may stay.
    With `blocks` residual blocks may go as a whole where that is cheaper.

    >>> with rescomp.Pruner(rescomp.Graph.create("resnet8"), macs=0.6) as pruner:
    ...     gain = pruner.plan()
    ...     smaller = pruner.apply()
    >>> gain["macs_after"] <= 0.6 * gain["macs_before"]
    True
    >>> smaller.info()["macs"] == gain["macs_after"]
    True
    """

    _free = "rc_pruner_free"

    def __init__(self, graph: Graph, *, macs: float = 0.0, parameters: float = 0.0, ratio: float = 0.0,
                 criterion: Union[None, str, Mapping[str, Any], Callable[[dict[str, Any]], Any]] = None,
                 allocation: Optional[str] = None, reduction: Optional[str] = None, normalizer: Optional[str] = None,
                 max_cut: float = 0.0, round_to: int = 0, min_channels: int = 0,
                 keep: Sequence[str] = (), trunk: str = "auto", repair: Optional[str] = None,
                 dataset: Optional[Dataset] = None, images: int = 0, batch: int = 0, seed: int = 0,
                 scope: Optional[str] = None, scopes: Sequence[str] = (),
                 ratios: Union[Mapping[str, float], Sequence[str]] = (), max_bytes: int = 0,
                 schedule: Optional[str] = None, cost: Optional[Callable[[int, int], float]] = None,
                 cost_keep: float = 0.0, blocks: bool = False) -> None:
        if trunk not in _TRUNK:
            raise _ffi.ArgumentError(_ffi.ARG, f"trunk is {trunk!r}, must be one of {', '.join(_TRUNK)}")
        if isinstance(keep, str):
            keep = [keep]
        if isinstance(scopes, str):
            scopes = [scopes]
        if isinstance(ratios, Mapping):
            ratios = [f"{name}={float(kept)!r}" for name, kept in ratios.items()]
        self._context = graph._context
        super().__init__(self._context, *([] if dataset is None else [dataset]))
        names, pools, layers = _ffi.texts(keep), _ffi.texts(scopes), _ffi.texts(ratios)
        own = None if criterion is None or isinstance(criterion, str) else criterion
        self._score = _ffi.score_callback(self._own_scores(own)) if own is not None else None  # lives as long as this
        self._cost = None if cost is None else _ffi.cost_callback(cost)
        options = _ffi.PruneOptions(
            criterion=None if own is not None else criterion, score=self._score, allocation=allocation, reduction=reduction, normalizer=normalizer, macs=macs,
            parameters=parameters, ratio=ratio, max_cut=max_cut, round_to=round_to, min_channels=min_channels,
            keep=names, keep_count=len(names), trunk=_TRUNK[trunk], repair=repair,
            dataset=None if dataset is None else dataset._h.pointer, images=images, batch=batch, seed=seed,
            scope=scope, scopes=pools, scope_count=len(pools), ratios=layers, ratio_count=len(layers),
            bytes=max_bytes, schedule=schedule, cost=self._cost, cost_keep=cost_keep,
            flags=int(blocks))
        with _ffi.interruptible():
            lib.rc_pruner_new(self._new, graph._h, options)
        #: what the last plan() or apply() gains: macs_before, macs_after, parameters_before, ...
        self.result: Optional[dict[str, int]] = None

    def _own_scores(self, own: Any) -> Callable[[int], Any]:
        def score(index: int) -> Any:
            group = {**self._group(index, True), "index": index}
            if callable(own):
                return own(group)
            if group["name"] not in own:
                raise _ffi.ArgumentError(_ffi.ARG, f"criterion has no scores for group {group['name']!r}")
            return own[group["name"]]
        if not callable(own) and not isinstance(own, Mapping):
            raise TypeError(f"criterion is a {type(own).__name__}, must be a name, a function or a dict of arrays")
        return score

    def groups(self, members: bool = False) -> list[dict[str, Any]]:
        """One dict per group: name, channels, kept, may_cut, reason, macs, parameters, ...

        With `members`, "members" is the list of weights that are cut along instead of their number.
        """
        return [self._group(g, members) for g in range(lib.rc_pruner_count_groups(self._h))]

    def _group(self, group: int, members: bool) -> dict[str, Any]:
        info = _ffi.PruneGroupInfo()
        lib.rc_pruner_get_group(self._h, group, info)
        d = info.as_dict()
        d["may_cut"] = bool(d["may_cut"])
        if members:
            d["members"] = [self._member(group, m) for m in range(d["members"])]
        return d

    def _member(self, group: int, member: int) -> dict[str, Any]:
        info = _ffi.PruneMemberInfo()
        lib.rc_pruner_get_member(self._h, group, member, info)
        d = info.as_dict()
        d["role"] = _ROLES.get(d["role"], str(d["role"]))
        return d

    def scores(self, group: int) -> NDArray[np.float64]:
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

    def cut(self, group: int, channels: Sequence[int]) -> None:
        """Change the plan: these channels of a group go too. No scores are needed."""
        with self._lock:
            _ffi.cut(self._h, group, channels)

    def blocks(self) -> list[dict[str, Any]]:
        """One dict per residual block that can go as a whole: name, add, cut, macs, parameters, error."""
        found = []
        for block in range(lib.rc_pruner_count_blocks(self._h)):
            info = _ffi.PruneBlockInfo()
            with self._lock:
                lib.rc_pruner_get_block(self._h, block, info)
            found.append({**info.as_dict(), "cut": bool(info.cut)})
        return found

    def cut_block(self, block: int) -> None:
        """Change the plan: this residual block goes as a whole; its shortcut stays."""
        with self._lock:
            lib.rc_pruner_cut_block(self._h, _ffi.unsigned(block, "block"))

    def save_history(self, path: Path) -> None:
        """Write which channels the plan cuts, as JSON."""
        with self._lock:
            lib.rc_pruner_save_history(self._h, _ffi.path(path))

    def replay_history(self, path: Path) -> None:
        """The plan of a history of the same model; with the same repair apply() gives the same graph."""
        with self._lock:
            lib.rc_pruner_replay_history(self._h, _ffi.path(path))

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

    def _repr_html_(self) -> str:
        """A table of groups, for notebooks."""
        if self.closed:
            return "<p>rescomp.Pruner, closed</p>"
        keys = ("name", "channels", "kept", "may_cut", "reason", "macs", "parameters")
        groups = self.groups()
        return _html.table(f"{len(groups)} groups of channels", keys, [[g[k] for k in keys] for g in groups])


def prune(graph: Graph, **options: Any) -> Graph:
    """Pruner(graph, ...).apply(): a new, smaller graph.

    >>> g = rescomp.Graph.create("resnet8")
    >>> rescomp.prune(g, parameters=0.5).info()["parameters"] <= 0.5 * g.info()["parameters"]
    True
    """
    with Pruner(graph, **options) as pruner:
        return pruner.apply()
