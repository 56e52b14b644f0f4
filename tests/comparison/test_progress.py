"""Lines of progress."""

from stackens.comparison._progress import say


def test_lines_are_written_only_when_asked_for(capsys):
    say(0, "Measuring")
    assert capsys.readouterr() == ("", "")
    say(1, "Measuring")
    assert capsys.readouterr() == ("", "Measuring\n")
