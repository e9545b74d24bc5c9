"""Tables of `str` cells, as aligned text or as Markdown."""


def aligned(rows, left=1):
    """Rows of cells as lines of text, with columns two spaces apart.

    Args:
      rows: sequence of sequences of `str`, as long as each other; headings are rows too.
      left: `int`, how many columns are aligned to the left; the others are aligned to the right.

    Returns:
      `str` without a final newline.
    """
    return _render(rows, left, tablefmt="plain")


def markdown(headings, rows, left=1):
    """As `aligned`, a table of Markdown under a line of headings."""
    return _render([headings, *rows], left, headers="firstrow", tablefmt="pipe")


def _render(rows, left, **options):
    import tabulate  # takes a while, and --help shows no table

    columns = len(rows[0])
    alignment = ["left"] * min(left, columns) + ["right"] * (columns - left)
    return tabulate.tabulate(rows, disable_numparse=True, colalign=alignment, **options)
