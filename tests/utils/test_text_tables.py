from tfcoded.utils import text_tables

ROWS = [["metric", "value", "note"], ["psnr", "18.10 ± 0.04", ""], ["words used", "1e5", "of 1,024"]]


def test_aligned_text():
    assert text_tables.aligned(ROWS) == (
        "metric             value      note\npsnr        18.10 ± 0.04\nwords used           1e5  of 1,024"
    )
    assert text_tables.aligned(ROWS[1:], left=9).splitlines() == [
        "psnr        18.10 ± 0.04",
        "words used  1e5           of 1,024",
    ]


def test_markdown():
    heading, rule, *rows = text_tables.markdown(ROWS[0], ROWS[1:], left=2).splitlines()
    assert [cell.strip() for cell in heading.split("|")] == ["", *ROWS[0], ""]
    assert [(cell[0], cell[-1]) for cell in rule.split("|")[1:-1]] == [(":", "-"), (":", "-"), ("-", ":")]
    assert [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows] == ROWS[1:]
