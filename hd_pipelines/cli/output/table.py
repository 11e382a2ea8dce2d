"""Tables that fit the terminal: columns of lower priority are left out, a cell is never cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hd_pipelines.cli.terminal import console

GAP = 2
"""Blanks between two columns."""
R = TypeVar("R")


class Priority(IntEnum):
    """Which columns go first when a terminal is narrow. Essential ones fit into 80 characters and always stay."""

    ESSENTIAL = 0
    USUAL = 1
    DETAIL = 2


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """One column. `write` gives a cell as rich markup; text from elsewhere must be escaped."""

    title: str
    write: Callable[[R], str]
    priority: Priority = Priority.ESSENTIAL
    is_number: bool = False
    wraps_at: int | None = None
    """Set for sentences: the cell wraps into several lines and needs no more than this many characters."""


def print_table(
    columns: Sequence[Column[R]], rows: Sequence[R], *, title: str | None = None, wide: bool = False
) -> None:
    """Print `rows` with the columns that fit the terminal, or all of them if `wide`; then name those left out."""
    cells = [[column.write(row) for column in columns] for row in rows]
    natural = [
        max(Text.from_markup(text).cell_len for text in (column.title, *(line[i] for line in cells)))
        for i, column in enumerate(columns)
    ]
    least = [min(width, column.wraps_at or width) for column, width in zip(columns, natural, strict=True)]
    shown = list(range(len(columns))) if wide else choose_columns(columns, least, console().width)
    needed = compute_total_width([natural[i] for i in shown])
    width = needed if wide else max(min(needed, console().width), compute_total_width([least[i] for i in shown]))
    table = Table(
        title=title, title_justify="left", header_style="bold", box=None, padding=(0, GAP, 0, 0), pad_edge=False
    )
    for i in shown:
        column = columns[i]
        table.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            no_wrap=column.wraps_at is None,
            min_width=least[i],
            overflow="fold",
        )
    for line in cells:
        table.add_row(*(line[i] for i in shown))
    out = Console(
        file=console().file, width=max(width, len(title or "")), highlight=False, force_terminal=console().is_terminal
    )
    out.print(table)
    if hidden := [column.title for i, column in enumerate(columns) if i not in shown]:
        console().print(f"[dim]Left out at this width: {', '.join(hidden)}. `--wide` shows all columns.[/dim]")


def choose_columns(columns: Sequence[Column[R]], widths: Sequence[int], available: int) -> list[int]:
    """Positions of the essential columns and of every other one that still fits, the usual ones before details."""
    shown = [i for i, column in enumerate(columns) if column.priority is Priority.ESSENTIAL]
    others = sorted(set(range(len(columns))) - set(shown), key=lambda i: (columns[i].priority, i))
    for i in others:
        if compute_total_width([widths[j] for j in (*shown, i)]) <= available:
            shown.append(i)
    return sorted(shown)


def compute_total_width(widths: Sequence[int]) -> int:
    """Width of a line of cells of these widths, in characters."""
    return sum(widths) + GAP * max(len(widths) - 1, 0)
