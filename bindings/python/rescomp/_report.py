"""What a compression run did, as JSON and as one HTML page."""
from __future__ import annotations

import html
import json
from typing import Any, Optional

from . import _ffi
from ._core import Context, Graph, Path, Session, owner_of
from ._ffi import lib
from ._handle import Handle


def _step(name: str, *, graph: Optional[Graph] = None, top1: float = 0.0, median_ms: float = 0.0,
          file_bytes: int = 0, weight_bytes: int = 0, macs: int = 0, parameters: int = 0, seconds: float = 0.0,
          kept: bool = True, note: Optional[str] = None, top1_on: Optional[str] = None) -> _ffi.ReportStep:
    info = graph.info() if graph is not None else {}
    return _ffi.ReportStep(
        name=name, top1=top1, median_ms=median_ms, file_bytes=file_bytes,
        weight_bytes=weight_bytes or info.get("weight_bytes", 0), macs=macs or info.get("macs", 0),
        parameters=parameters or info.get("parameters", 0), seconds=seconds, kept=int(kept), note=note,
        top1_on=top1_on)


class Report(Handle):
    """Steps of a run, before and after, and layers: as data, as a page, and in notebooks.

    >>> g = rescomp.Graph.create("resnet8")
    >>> with rescomp.Report("ResNet-8") as report:
    ...     report.add_step("original", graph=g, top1=86.1, median_ms=0.4)
    ...     report.add_step("pruned", graph=rescomp.prune(g, macs=0.5), top1=85.7, median_ms=0.3)
    ...     [s["name"] for s in report.json()["steps"]], report.html().startswith("<!DOCTYPE html>")
    (['original', 'pruned'], True)
    """

    _free = "rc_report_free"

    def __init__(self, title: str, *, context: Optional[Context] = None) -> None:
        owner = owner_of(context)
        super().__init__(owner)
        lib.rc_report_new(self._new, owner, _ffi.encode(title))

    @classmethod
    def load(cls, path: Path, *, context: Optional[Context] = None) -> Report:
        """Read a report that save() wrote: report.json, or its folder."""
        report = cls("", context=context)
        owner = report._h.needs[0]
        lib.rc_report_free(report._new)
        lib.rc_report_load(report._new, owner, _ffi.path(path))
        return report

    @classmethod
    def compare(cls, a: Report, b: Report) -> Report:
        """What two runs ended with, side by side: "before" is `a`, "after" is `b`."""
        report = cls("")
        lib.rc_report_free(report._new)
        with a._lock, b._lock:
            lib.rc_report_compare(report._new, a._h, b._h)
        report._h.needs.extend([a._h, b._h])
        return report

    def set_fact(self, name: str, value: Any) -> None:
        """State something the figures depend on: processor, data set, seed, ..."""
        lib.rc_report_set_fact(self._h, _ffi.encode(name), _ffi.encode(str(value)))

    def add_step(self, name: str, *, graph: Optional[Graph] = None, top1: float = 0.0, median_ms: float = 0.0,
                 file_bytes: int = 0, weight_bytes: int = 0, macs: int = 0, parameters: int = 0,
                 seconds: float = 0.0, kept: bool = True, note: Optional[str] = None,
                 top1_on: Optional[str] = None) -> None:
        """Add a state of the model; `graph` fills in weight_bytes, macs and parameters. `top1_on` says which
        images top1 is of."""
        lib.rc_report_add_step(self._h, _step(
            name, graph=graph, top1=top1, median_ms=median_ms, file_bytes=file_bytes, weight_bytes=weight_bytes,
            macs=macs, parameters=parameters, seconds=seconds, kept=kept, note=note, top1_on=top1_on))

    def set_summary(self, *, before: Optional[dict[str, Any]] = None, after: Optional[dict[str, Any]] = None) -> None:
        """Figures of "before" and "after" in place of the first and the last kept step's: dicts with the
        arguments of add_step()."""
        for which, figures in enumerate((before, after)):
            if figures is not None:
                lib.rc_report_set_summary(self._h, which, _step(**{"name": ("before", "after")[which], **figures}))

    def set_layers(self, before: Graph, after: Graph) -> None:
        """Compare the layers of two graphs, matched by node name."""
        lib.rc_report_set_layers(self._h, before._h, after._h)

    def set_times(self, *, before: Optional[Session] = None, after: Optional[Session] = None) -> None:
        """Add the layer times of sessions that were made with profile=True and have run."""
        for which, session in enumerate((before, after)):
            if session is not None:
                lib.rc_report_set_times(self._h, which, session._h)

    def json(self) -> dict[str, Any]:
        """The report as data; keys in docs/report.md."""
        with self._lock:
            data: dict[str, Any] = json.loads(_ffi.one_text(lib.rc_report_get_json, self._h) or "{}")
        return data

    def html(self) -> str:
        """The report as one HTML page that needs nothing else."""
        with self._lock:
            return _ffi.one_text(lib.rc_report_get_html, self._h) or ""

    def _repr_html_(self) -> str:
        """The page itself in a frame of its own, for notebooks."""
        if self.closed:
            return "<p>rescomp.Report, closed</p>"
        page = html.escape(self.html(), quote=True)
        return f'<iframe title="report" srcdoc="{page}" width="100%" height="600" sandbox="allow-scripts"></iframe>'

    def save(self, folder: Path) -> None:
        """Write FOLDER/report.json and FOLDER/report.html."""
        with self._lock:
            lib.rc_report_save(self._h, _ffi.path(folder))
