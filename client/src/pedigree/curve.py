"""Lines as an SVG text: what a notebook shows without a library."""

from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 480, 200, 44, 24, 18
COLOURS = ("#4477aa", "#cc6677", "#228833", "#aa7733")
"""Told apart by colour-blind eyes too, on light and dark."""


def curve(lines: Mapping[str, Points], *, label: str) -> str:
    """Lines by name over a common axis; nothing where no line has two points.

    Args:
        lines: x and y of each line, in order of x.
        label: what the picture shows, for those who cannot see it.
    """
    drawn = {name: points for name, points in lines.items() if points}
    points = [point for line in drawn.values() for point in line]
    if max(map(len, drawn.values()), default=0) < 2:  # noqa: PLR2004  # a line
        return ""
    (x0, x1), (y0, y1) = _span([x for x, _ in points]), _span([y for _, y in points])

    def at(x: float, y: float) -> str:
        across = LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - 8)
        down = TOP + (y1 - y) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)
        return f"{across:.1f},{down:.1f}"

    parts = [_axis(y0, y1), _steps(x0, x1)]
    for number, (name, line) in enumerate(drawn.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(at(x, y) for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{LEFT + 100 * number}" y="12" fill="{colour}">{escape(name)}</text>')
    style = "font:11px sans-serif;max-width:100%;height:auto"
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" style="{style}" role="img"'
    return f'{head} aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _axis(low: float, high: float) -> str:
    marks = []
    for part in (0.0, 0.5, 1.0):
        down = TOP + part * (HEIGHT - TOP - BOTTOM)
        line = f'x1="{LEFT}" x2="{WIDTH - 8}" y1="{down}" y2="{down}"'
        marks.append(f'<line {line} stroke="currentColor" stroke-opacity="0.2"/>')
        value = f"{high - part * (high - low):.3g}"
        marks.append(f'<text x="{LEFT - 6}" y="{down + 4}" text-anchor="end" fill="currentColor">{value}</text>')
    return "".join(marks)


def _steps(low: float, high: float) -> str:
    ends = ((LEFT, "start", low), (WIDTH - 8, "end", high))
    texts = (
        f'<text x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}" fill="currentColor">step {value:.0f}</text>'
        for x, anchor, value in ends
    )
    return "".join(texts)
