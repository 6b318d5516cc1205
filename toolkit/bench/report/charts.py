"""Charts as inline SVG: a metric per yaw, and quality against time. Colours are the page's: classes m0, m1, ..."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 14, 42
_TICKS = 5


@dataclass(frozen=True)
class Axis:
    """From numbers to a place between two ends in pixels."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Where a value lies."""
        low, high, value = (math.log10(each) if self.logarithmic else each for each in (self.low, self.high, value))
        return self.start + (value - low) / ((high - low) or 1) * (self.end - self.start)


def nice_range(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """A range around values that begins and ends at round numbers, and the round numbers within."""
    low, high = min(values), max(values)
    spread = (high - low) or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(spread / _TICKS))
    step = next(step * factor for factor in (1, 2, 2.5, 5, 10) if spread / (step * factor) <= _TICKS)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = [round(index * step, 12) for index in range(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def yaw_chart(lines: Mapping[int, Sequence[tuple[float, float]]], label: str) -> str:
    """A line per method over the yaw of the view.

    Args:
        lines: (yaw in degrees, value) by the method's colour number, yaw rising; a view from behind (180) is drawn at
            both ends.
        label: What the values are, direction included.
    """
    closed = {place: _closed(points) for place, points in lines.items()}
    low, high, ticks = nice_range([value for points in closed.values() for _, value in points])
    x, y = Axis(-180, 180, LEFT, WIDTH - RIGHT), Axis(low, high, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<rect class="behind" x="{x.at(start):.1f}" y="{TOP}" width="{x.at(start + 90) - x.at(start):.1f}" '
        f'height="{HEIGHT - TOP - BOTTOM}"/>'
        for start in (-180, 90)
    ]
    parts += _rules(y, ticks)
    names = {-180: "back", -90: "−90°", 0: "front", 90: "90°", 180: "back"}
    for yaw, name in names.items():
        anchor = {-180: "start", 180: "end"}.get(yaw, "middle")
        parts.append(f'<text x="{x.at(yaw):.1f}" y="{HEIGHT - 14}" text-anchor="{anchor}">{name}</text>')
    for place, points in closed.items():
        path = "M" + "L".join(f"{x.at(yaw):.1f} {y.at(value):.1f}" for yaw, value in points)
        dots = "".join(f'<circle cx="{x.at(yaw):.1f}" cy="{y.at(value):.1f}" r="2.6"/>' for yaw, value in points)
        parts.append(f'<g class="series m{place}"><path d="{path}"/>{dots}</g>')
    parts.append(f'<line class="guide" y1="{TOP}" y2="{HEIGHT - BOTTOM}" hidden="hidden"/>')
    return _svg(parts, label, "chart yaw")


def time_chart(points: Mapping[str, tuple[int, float, float]], label: str) -> str:
    """A dot per method: seconds per inversion (logarithmic) against a metric.

    Args:
        points: (colour number, seconds, value) by method.
        label: What the values are, direction included.
    """
    low, high, ticks = nice_range([value for _, _, value in points.values()])
    seconds = [duration for _, duration, _ in points.values()]
    first, last = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    x = Axis(10.0**first, 10.0 ** max(last, first + 1), LEFT + 12, WIDTH - RIGHT - 12, logarithmic=True)
    y = Axis(low, high, HEIGHT - BOTTOM, TOP)
    parts = _rules(y, ticks)
    for power in range(first, max(last, first + 1) + 1):
        place, name = x.at(10.0**power), f"{10.0**power:g} s"
        parts.append(f'<line class="rule" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{place:.1f}" y="{HEIGHT - 14}" text-anchor="middle">{name}</text>')
    taken = [(x.at(duration), y.at(value)) for _, duration, value in points.values()]
    for method, (colour, duration, value) in sorted(points.items(), key=lambda each: each[1][1]):
        across, down = x.at(duration), y.at(value)
        side, anchor = (1, "start") if across < WIDTH * 0.72 else (-1, "end")
        level = _free_level(across + side * (14 + 3.5 * len(method)), down, 3.5 * len(method), taken)
        parts.append(
            f'<g class="dot m{colour}"><circle cx="{across:.1f}" cy="{down:.1f}" r="5.5"/>'
            f'<text x="{across + side * 10:.1f}" y="{level + 4:.1f}" text-anchor="{anchor}">'
            f"{html.escape(method)}</text></g>"
        )  # fmt: skip
    return _svg(parts, label, "chart")


def _free_level(across: float, down: float, half: float, taken: list[tuple[float, float]]) -> float:
    """A height for a label near its dot, clear of dots and earlier labels where that can be had."""
    for shift in (0, 13, -13, 24, -24, 36, -36):
        level = down + shift
        if all(abs(across - x) > half + 8 or abs(level - y) > 11 for x, y in taken) and TOP < level < HEIGHT - BOTTOM:
            break
    else:
        level = down
    taken += [(across + part * half, level) for part in (-1, 0, 1)]
    return level


def _closed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    ends = dict(points)
    return [(-180.0, ends[180.0]), *points] if 180.0 in ends and -180.0 not in ends else list(points)


def _rules(axis: Axis, ticks: Sequence[float]) -> list[str]:
    return [
        f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{axis.at(tick):.1f}" y2="{axis.at(tick):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{axis.at(tick) + 4:.1f}" text-anchor="end">{html.escape(_tick(tick))}</text>'
        for tick in ticks
    ]


def _tick(value: float) -> str:
    return f"{value:g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.1e}"


def _svg(parts: Sequence[str], label: str, kind: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(label)}" '
        f'data-left="{LEFT}" data-right="{WIDTH - RIGHT}">{"".join(parts)}</svg>'
    )
