"""A journal remembers finished blocks of the same merge, and belongs to one process at a time."""

import pytest

from stackens.weight_averaging.files._journal import Journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal"


def test_finished_blocks_are_remembered(path):
    with Journal(path, "this merge") as journal:
        assert journal.finished == {}
        journal.restart()
        journal.record(3, 0xABC)
        journal.record(0, 0xFFFFFFFF)
    with Journal(path, "this merge") as journal:
        assert journal.finished == {3: 0xABC, 0: 0xFFFFFFFF}
        journal.record(1, 7)
    with Journal(path, "this merge") as journal:
        assert journal.finished == {3: 0xABC, 0: 0xFFFFFFFF, 1: 7}
        journal.restart()
        assert journal.finished == {}
    with Journal(path, "this merge") as journal:
        assert journal.finished == {}


def test_another_merge_knows_nothing(path):
    with Journal(path, "this merge") as journal:
        journal.restart()
        journal.record(3, 0xABC)
    with Journal(path, "another merge") as journal:
        assert journal.finished == {}


def test_a_line_that_was_cut_short_does_not_count(path):
    with Journal(path, "this merge") as journal:
        journal.restart()
        journal.record(3, 0xABC)
        journal.record(4, 0xDEF)
    content = path.read_bytes()
    path.write_bytes(content[:-4])
    with Journal(path, "this merge") as journal:
        assert journal.finished == {3: 0xABC}


def test_what_comes_after_a_line_that_was_cut_short_is_read(path):
    with Journal(path, "this merge") as journal:
        journal.restart()
        journal.record(3, 0xABC)
        journal.record(4, 0xDEF)
    path.write_bytes(path.read_bytes()[:-4])
    with Journal(path, "this merge") as journal:
        journal.record(5, 1)
    with Journal(path, "this merge") as journal:
        assert journal.finished == {3: 0xABC, 5: 1}


def test_two_merges_at_once_are_refused(path):
    with Journal(path, "this merge"), pytest.raises(RuntimeError, match=r"Only one process"):
        Journal(path, "another merge")
    Journal(path, "another merge").remove()


def test_remove(path):
    journal = Journal(path, "this merge")
    journal.restart()
    journal.remove()
    assert not path.exists()
