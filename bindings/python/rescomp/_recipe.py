"""A whole compression in one call."""
from __future__ import annotations

import json
from typing import Any, Callable, Optional, Union

from . import _ffi
from ._core import Graph, Path, owner_of
from ._data import Dataset, path_text
from ._device import Device
from ._ffi import lib
from ._report import Report

Recipe = Union[str, dict[str, Any], list[dict[str, Any]]]


def recipe_default() -> dict[str, Any]:
    """The default recipe: a dict with the schema's number and the steps (docs/recipes.md).

    >>> [step["step"] for step in rescomp.recipe_default()["steps"]]
    ['prune', 'train', 'quantize']
    """
    recipe: dict[str, Any] = json.loads(_ffi.text(lib.rc_recipe_get_default()))
    return recipe


def _text(recipe: Recipe) -> str:
    if isinstance(recipe, list):
        recipe = {"schema": 1, "steps": recipe}
    return recipe if isinstance(recipe, str) else json.dumps(recipe)


def recipe_check(recipe: Recipe, *, context: Any = None) -> None:
    """Raise an Error that names the key if the recipe is not valid.

    >>> rescomp.recipe_check([{"step": "prune", "macs": 0.6}])
    >>> try:
    ...     rescomp.recipe_check([{"step": "prune", "mac": 0.6}])
    ... except rescomp.Error as e:
    ...     "mac" in str(e)
    True
    """
    lib.rc_recipe_check(owner_of(context), _ffi.encode(_text(recipe)))


def _split(flat: dict[str, Any]) -> dict[str, Any]:
    """{"macs_before": 1, "macs_after": 2, "kept": 3} -> {"before": {"macs": 1}, "after": {"macs": 2}, "kept": 3}."""
    out: dict[str, Any] = {"before": {}, "after": {}}
    for key, value in flat.items():
        name, _, when = key.rpartition("_")
        (out[when] if when in ("before", "after") else out)[name if when in ("before", "after") else key] = value
    return out


def compress(graph: Graph, train: Dataset, calib: Dataset, *, test: Optional[Dataset] = None,
             recipe: Optional[Recipe] = None, teacher: Optional[Graph] = None, max_drop: Optional[float] = None,
             size_ratio: float = 0.0, latency_ratio: float = 0.0, macs_ratio: float = 0.0, energy_ratio: float = 0.0,
             cost_ratio: float = 0.0, cost: Optional[Callable[[Graph], float]] = None, minutes: float = 0.0,
             device: Optional[Device] = None, packed: bool = False, points: Optional[Path] = None,
             search: Optional[str] = None, evaluations: int = 0,
             target: Optional[str] = None,
             folder: Optional[Path] = None, resume: bool = False, table: Optional[Path] = None,
             report: Optional[Report] = None,
             progress: Optional[Callable[[dict[str, Any]], None]] = None) -> tuple[Graph, dict[str, Any]]:
    """Compress a copy of `graph`: prune, recover, quantize; measure after every step, and try a step
    again, milder, when it loses more than `max_drop`. Returns (graph, result); result["before"] and
    ["after"] have top1, median_ms, file_bytes, macs, ...

    `recipe` is JSON text, a dict, or just the list of steps; the other options are those of
    rc_compress_options. Without a recipe the goals are reached for within `minutes`: the `*_ratio`s are
    after / before; `cost(graph)` is a cost of one's own. GoalMissed has the best graph there is as `.graph` and the result as `.result`.
    top1 is in percent, `max_drop` in percentage points, median_ms of one image.

    >>> x, y = np.random.default_rng(0).integers(0, 255, (64, 3, 8, 8)).astype(np.uint8), np.arange(64) % 2
    >>> train, calib = (rescomp.Dataset.from_arrays(x, y, split=s, holdout=True, calib_percent=25)
    ...                 for s in ("train", "calib"))
    >>> g = rescomp.Graph.create("resnet8", classes=2, height=8, width=8)
    >>> small, result = rescomp.compress(g, train, calib, recipe=[{"step": "prune", "macs": 0.7}], max_drop=100)
    >>> result["after"]["macs"] <= 0.7 * result["before"]["macs"]
    True
    """
    out, result = Graph(graph._context), _ffi.CompressResult()
    callback = _ffi.progress_callback(_ffi.COMPRESS_PROGRESS_FN, progress) if progress else None

    def own_cost(pointer: Any) -> float:
        copy = Graph(graph._context)
        lib.rc_graph_clone(copy._new, pointer)
        return float(cost(copy)) if cost else 0.0

    given: dict[str, Any] = {"train": train, "calib": calib, "test": test, "teacher": teacher, "report": report,
                             "device": device}
    owners = {name: handle._h for name, handle in given.items() if handle is not None}  # kept during the call
    options = _ffi.CompressOptions(
        recipe=None if recipe is None else _text(recipe), max_drop=_ffi.zero_real(max_drop), size_ratio=size_ratio,
        latency_ratio=latency_ratio, macs_ratio=macs_ratio, energy_ratio=energy_ratio, cost_ratio=cost_ratio,
        cost=_ffi.graph_cost_callback(own_cost) if cost else None, minutes=minutes,
        packed=int(packed), points=None if points is None else path_text(points), search=search,
        evaluations=evaluations, target=target, folder=None if folder is None else path_text(folder),
        resume=int(resume), table=None if table is None else path_text(table), progress=callback,
        **{name: owner.pointer for name, owner in owners.items()})
    try:
        with _ffi.interruptible():
            lib.rc_compress(out._new, graph._h, options, result)
    except _ffi.GoalMissed as missed:
        missed.graph, missed.result = out, _split(result.as_dict())
        raise
    return out, _split(result.as_dict())
