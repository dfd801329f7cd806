"""What the benchmarks print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from statistics import median, quantiles

from rich.console import Console
from rich.table import Table

Costs = Mapping[str, Sequence[float]]
"""Name of what was measured, and one figure per round; rounds are interleaved, so figures of one round compare."""


def compare(title: str, unit: str, costs: Costs, *, to: str, goals: Mapping[str, float]) -> None:
    """Print medians, and the median over the rounds of each one's ratio to ``to``, with its range."""
    table = Table(title=f"{title} ({len(costs[to])} rounds)")
    for heading in ("", f"{unit}, median", f"times {to}", "range", "goal"):
        table.add_column(heading)
    for name, figures in costs.items():
        # A short round may cost less than a tick of the kernel's clock.
        ratios = [figure / (yardstick or nan) for figure, yardstick in zip(figures, costs[to], strict=True)]
        goal = f"≤ {goals[name]:g}" if name in goals else ""
        span = f"{min(ratios):.2f} - {max(ratios):.2f}"
        table.add_row(name, f"{median(figures):,.3g}", f"{median(ratios):.2f}", span, goal)
    Console(width=118).print(table)


def percentiles(title: str, unit: str, figures: Mapping[str, Sequence[float]], *, goal: str) -> None:
    table = Table(title=f"{title}, {unit} (goal {goal})")
    for heading in ("", "replies", "p50", "p95", "most"):
        table.add_column(heading)
    for name, all_of_them in figures.items():
        cuts = quantiles(all_of_them, n=20, method="inclusive")
        row = (f"{figure:.0f}" for figure in (cuts[9], cuts[18], max(all_of_them)))
        table.add_row(name, str(len(all_of_them)), *row)
    Console(width=118).print(table)
