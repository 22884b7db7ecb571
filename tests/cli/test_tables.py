"""Tables fit the terminal: narrow columns stay, wide ones are wrapped, nothing is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.cli import main
from monitoring.drill.show import overview
from monitoring.terminal import fitted, plain, printable, table, table_row, width_of, wrapped

CELL = st.text(st.characters(exclude_categories=("Cs", "Mn", "Me")), max_size=60)


@given(st.text(max_size=200), st.integers(2, 50))
def test_a_wrapped_text_fits_and_loses_nothing_but_blanks(text, width):
    lines = wrapped(text, width)
    assert all(width_of(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(printable(text).split())


@given(
    st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from([60, 80, 120])
)
def test_no_line_of_a_table_is_wider_than_there_is_room(rows, room):
    widths = fitted(rows, room)
    lines = [plain(*line) for row in rows for line in table_row(row, widths, right={1})]
    assert all(width_of(line) <= room for line in lines)


def test_a_column_is_made_narrower_only_where_it_must_be(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    rows = [("name", "what it says"), ("a", "a text that is longer than there is room"), ("b", "")]
    assert [plain(*line) for line in table(rows)] == [
        "name  what it says",
        "a     a text that is longer",
        "      than there is room",
        "b",
    ]


def test_numbers_end_at_the_right_and_wide_characters_count_twice(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert [plain(*line) for line in table([("数", "1"), ("ab", "10")], right={1})] == ["数   1", "ab  10"]


@pytest.mark.parametrize("columns", ["60", "80"])
@pytest.mark.parametrize("argv", [("lint", "--rules"), ("drill", "--list")], ids=" ".join)
def test_the_tables_of_commands_fit(argv, columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit):
        main(argv)
    assert max(map(width_of, capsys.readouterr().out.splitlines())) <= int(columns)


def test_the_overview_of_the_drill_says_all_that_it_says_on_a_wide_terminal(monkeypatch):
    def words(columns):
        monkeypatch.setenv("COLUMNS", columns)
        return sorted("".join(plain(*line) for line in overview()).replace(" ", ""))

    assert words("80") == words("300")
