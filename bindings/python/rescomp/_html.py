"""Tables for notebooks."""
from __future__ import annotations

import html
from typing import Any, Sequence


def figure(value: Any) -> str:
    """A number as people read it: 1,234,567; 0.123; a dash for what is not known."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return " × ".join(map(str, value))
    return str(value)


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], most: int = 200) -> str:
    """A table with a caption; rows beyond `most` are left out, and the caption says so."""
    head = "".join(f"<th scope='col'>{html.escape(c)}</th>" for c in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(figure(v))}</td>" for v in row) + "</tr>"
                   for row in rows[:most])
    if len(rows) > most:
        caption += f" (the first {most} of {len(rows)} rows)"
    return (f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>")
