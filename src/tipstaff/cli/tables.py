"""Rows for people: side by side where the window is wide enough, else one under the other. Nothing is cut off."""

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

WIDE = 120
"""Columns of a window in which a table can be read."""


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[str]], *, head: int = 1, wide: int = WIDE) -> None:
    """Print `rows` under `columns`. In a narrow window each row is a paragraph whose first line is its `head` cells.

    Into a file or a pipe goes the narrow form, whose lines no width breaks.
    """
    console = Console(soft_wrap=False, highlight=False, markup=False)
    if console.is_terminal and console.width >= wide:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return
    for row in rows:
        sys.stdout.write("  ".join(filter(None, row[:head])) + "\n")
        for name, cell in zip(columns[head:], row[head:], strict=True):
            if cell:
                sys.stdout.write(f"    {name}: {cell}\n" if name else f"    {cell}\n")
