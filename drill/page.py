"""The report as a page: what the clients saw over time, and every event; one file, no scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from drill.report import Report

WIDTH, LEFT, ROW, TOP = 1080, 110, 46, 30
COLOURS = {"primary": "#2f6f4f", "standby": "#2b5c9e", "failed": "#b3261e"}

STYLE = """
:root{color-scheme:light dark;--ink:#1d1d1b;--paper:#fdfdfb;--line:#bbb}
@media(prefers-color-scheme:dark){:root{--ink:#eee;--paper:#161616;--line:#555}}
body{font:15px/1.45 system-ui,sans-serif;max-width:1120px;margin:2rem auto;padding:0 1rem;color:var(--ink);
background:var(--paper)}
table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.2rem .7rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
svg{width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}
.ok{color:#2f8f5f}.bad{color:#d0392f;font-weight:600}
"""


@dataclass(frozen=True, slots=True)
class Dot:
    """One request: seconds since the fault, and who served it ('failed': nobody)."""

    seconds: float
    served: str


def write_page(report: Report, dots: Mapping[str, Sequence[Dot]], folder: Path) -> Path:
    """Write report.html into the folder; return its path."""
    path = folder / "report.html"
    verdict = "passed" if report.passed else "FAILED"
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(report.scenario)}</title>'
        f"<style>{STYLE}</style><h1>Rehearsal {escape(report.scenario)}: "
        f'<span class="{"ok" if report.passed else "bad"}">{verdict}</span></h1>'
        f"{_plot(report, dots)}{_times(report)}{_checks(report)}{_timeline(report)}"
        f"<p>Times are measured on this machine; the rehearsal's DNS answers with {report.ttl_scale} of each"
        " TTL. The plan's own intervals are short ones.</p></html>\n"
    )
    return path


def _plot(report: Report, dots: Mapping[str, Sequence[Dot]]) -> str:
    moments = [dot.seconds for served in dots.values() for dot in served]
    if not moments:
        return ""
    first, last = min(moments), max(moments) + 1
    height = TOP + ROW * len(dots) + 40

    def x(seconds: float) -> float:
        return LEFT + (seconds - first) / (last - first) * (WIDTH - LEFT - 10)

    rows = []
    for number, (name, served) in enumerate(dots.items()):
        y = TOP + ROW * number
        rows.append(f'<text x="4" y="{y + 20}">{escape(name)}</text>')
        rows += [
            f'<rect x="{x(dot.seconds):.1f}" y="{y}" width="3" height="30" fill="{COLOURS[dot.served]}"/>'
            for dot in served
        ]
    marks = _marks(x, first, last, height) + _legend(height)
    label = "Requests over time: who served each, or that it failed"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{"".join(rows)}{marks}</svg>'
        if report.timeline
        else ""
    )


def _marks(x: Callable[[float], float], first: float, last: float, height: int) -> str:
    step = 10 if last - first < 200 else 30
    start = int(first // step) * step + step
    ticks = range(start, int(last) + 1, step)
    return "".join(
        f'<line x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{TOP - 6}" y2="{height - 40}" stroke="currentColor"'
        f' stroke-opacity="{0.9 if t == 0 else 0.15}"/>'
        f'<text x="{x(t):.1f}" y="16" text-anchor="middle">{"fault" if t == 0 else f"{t:+d} s"}</text>'
        for t in ticks
    )


def _legend(height: int) -> str:
    words = {"primary": "served by the primary", "standby": "served by the standby", "failed": "failed"}
    return "".join(
        f'<rect x="{LEFT + 230 * i}" y="{height - 24}" width="14" height="14" fill="{COLOURS[key]}"/>'
        f'<text x="{LEFT + 230 * i + 20}" y="{height - 12}">{text}</text>'
        for i, (key, text) in enumerate(words.items())
    )


def _times(report: Report) -> str:
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{"not measured" if v is None else f"{v:.2f}"}</td></tr>'
        for name, v in report.seconds.items()
    )
    return f"<h2>Seconds</h2><table>{rows}</table>"


def _checks(report: Report) -> str:
    rows = "".join(
        f'<tr><td class="{"ok" if c.passed else "bad"}">{"ok" if c.passed else "FAILED"}</td>'
        f"<td>{escape(c.name)}</td><td>{escape(c.detail)}</td></tr>"
        for c in report.checks
    )
    return f"<h2>Checks</h2><table>{rows}</table>"


def _timeline(report: Report) -> str:
    rows = "".join(
        f'<tr><td class="n">{_signed(entry["seconds"])}</td><td>{escape(str(entry["event"]))}</td></tr>'
        for entry in report.timeline
    )
    return f"<h2>Timeline</h2><table>{rows}</table>"


def _signed(seconds: object) -> str:
    return f"{seconds:+.1f} s" if isinstance(seconds, float) else ""
