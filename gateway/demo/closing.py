"""What the demonstration prints at the end: a line per conversation, and a sentence."""

from __future__ import annotations

import statistics

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.demo.conversations import Conversation, Turn
from gateway.demo.scene import Report


def print_report(console: Console, report: Report) -> None:
    """The table, every fault in words, and the summary."""
    table = Table(
        box=SIMPLE_HEAD, title="What the twenty people saw", title_justify="left", title_style="bold"
    )
    table.add_column("conversation", no_wrap=True)
    for number in (1, 2):
        table.add_column(f"shows {number}", justify="right", no_wrap=True)
        table.add_column(f"done {number}", justify="right", no_wrap=True)
    table.add_column("in order", justify="center", no_wrap=True)
    table.add_column("overlap", justify="center", no_wrap=True)
    for conversation in report.conversations:
        table.add_row(*_row(conversation, report.faults.get(conversation.name, [])))
    console.print()
    console.print(table)
    legend = "Seconds from the question to its first visible text and to its complete reply."
    if report.killed:
        legend += "\n  ⚡: cut off by the kill, and finished."
    console.print(f"  {legend}", style="dim")
    for name, faults in report.faults.items():
        for fault in faults:
            console.print(Text(f"✗ {name}: {fault}", style="red"))
    for complaint in report.complaints:
        console.print(Text(f"✗ {complaint}", style="red"))
    console.print()
    console.print(_summary(report))


def _row(conversation: Conversation, faults: list[str]) -> list[Text]:
    first, second = conversation.turns
    ordered = not any("stands before" in fault or "no complete reply" in fault for fault in faults)
    overlapping = second.first_text_at and (not first.done_at or second.first_text_at < first.done_at)
    return [
        Text(f"{conversation.platform:<5} {conversation.person}"),
        *(cell for turn in conversation.turns for cell in _times(turn)),
        Text("✓", style="green") if ordered else Text("✗", style="red"),
        Text("✗", style="red") if overlapping else Text("none", style="green"),
    ]


def _times(turn: Turn) -> list[Text]:
    shown = Text(f"{turn.first_text_at - turn.sent_at:.1f}" if turn.first_text_at else "–")
    done = Text(f"{turn.done_at - turn.sent_at:.1f} ✓" if turn.done_at else "✗")
    done.stylize("green" if turn.done_at else "red")
    if turn.cut_at:
        done = Text.assemble(("⚡ ", "red"), done)
    return [shown, done]


def _summary(report: Report) -> Text:
    messages = 2 * len(report.conversations)
    bad = sum(bool(faults) for faults in report.faults.values())
    acks = sorted(report.acks) or [0.0]
    facts = [
        f"{report.redelivered} events came again" + (", none was answered twice" if report.good else ""),
        f"webhooks were acknowledged in {statistics.median(acks) * 1000:.0f} ms (slowest {acks[-1] * 1000:.0f} ms)",
        f"{report.rate_limited} calls were rate limited",
        f"{report.took:.0f} s in all",
    ]
    if report.killed:
        facts.insert(0, f"the gateway was killed once and was back after {report.down_for:.1f} s")
    if not report.good:
        return Text.assemble(
            ("✗ ", "bold red"),
            (
                f"{bad} conversations with faults, {len(report.complaints)} complaints by the platforms.",
                "bold",
            ),
            f" {'; '.join(facts[:-1])}; {facts[-1]}.",
        )
    return Text.assemble(
        ("✓ ", "bold green"),
        (
            f"All {messages} messages got exactly one complete reply, in order; no platform rule was broken.",
            "bold",
        ),
        f" {_sentence(facts)}",
    )


def _sentence(facts: list[str]) -> str:
    joined = "; ".join(facts)
    return f"{joined[0].upper()}{joined[1:]}."
