"""The table at the end of a run."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tests.chaos.plan import Plan
from tests.chaos.run import Result

EXAMPLES = 5
LONGEST = 400


def print_result(console: Console, plan: Plan, result: Result) -> None:
    """Plain where the console is no terminal."""
    table = Table(box=SIMPLE_HEAD, title=f"{plan.store}, {plan.workers} replicas, seed {plan.seed}")
    table.title_justify = "left"
    table.add_column("", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    for name, value in result.rows():
        bad = name in result.must_be_zero and value != "0"
        table.add_row(name, f"[red]{value}[/red]" if bad else value)
    console.print(table)
    for kind, sentences in result.faults.items():
        for sentence in sentences[:EXAMPLES]:
            console.print(f"✗ {kind}: {sentence[:LONGEST]}", markup=False, highlight=False)
        if len(sentences) > EXAMPLES:
            console.print(f"  … and {len(sentences) - EXAMPLES} more")
    console.print(f"history: {result.history}", highlight=False)
