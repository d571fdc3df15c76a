"""A kanban board: columns, moves, the limit on work in progress."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botyard.loop import board
from botyard.loop.board import BoardError
from botyard.loop.tasks import COLUMNS, Column, FPersonaKanbanTaskOutput


def task(name: str, **fields: object) -> FPersonaKanbanTaskOutput:
    return FPersonaKanbanTaskOutput(ktask_id=name, ktask_title=name, **fields)  # type: ignore[arg-type]


class Board:
    """A board that keeps what its rules give back."""

    def __init__(self, limit: int = 2) -> None:
        self.tasks: dict[str, FPersonaKanbanTaskOutput] = {}
        self.limit = limit
        self.now = 100.0

    def create(self, name: str, column: Column = "inbox") -> board.Change:
        self.now += 1
        return self._kept(
            board.create(
                self.tasks, task(name), column=column, now=self.now, limit=self.limit, open_tasks=self.open_tasks
            )
        )

    @property
    def open_tasks(self) -> int:
        return sum(not known.ktask_done_ts for known in self.tasks.values())

    def move(self, name: str, column: str, **changes: object) -> board.Change:
        self.now += 1
        return self._kept(board.move(self.tasks, name, column, now=self.now, limit=self.limit, **changes))

    def _kept(self, change: board.Change) -> board.Change:
        assert change.new is not None
        self.tasks[change.new.ktask_id] = change.new
        return change


def test_a_task_goes_from_inbox_to_done() -> None:
    kept = Board()
    assert kept.create("a").action == "INSERT"
    seen = [kept.tasks["a"].calc_bucket()]
    for column in ("todo", "inprogress", "done"):
        change = kept.move("a", column)
        assert change.old is not None
        assert change.new is not None
        seen.append(change.new.ktask_column)
    assert seen == list(COLUMNS)


def test_no_more_tasks_are_in_progress_than_allowed() -> None:
    kept = Board(limit=1)
    kept.create("a", "inprogress")
    kept.create("b", "todo")
    with pytest.raises(BoardError, match="maxInProgress") as refused:
        kept.move("b", "inprogress")
    assert refused.value.code == "LimitReached"
    kept.move("a", "done")
    assert kept.move("b", "inprogress").new is not None


def test_a_move_to_where_a_task_is_needs_no_room() -> None:
    kept = Board(limit=1)
    kept.create("a", "inprogress")
    assert kept.move("a", "inprogress", ktask_inprogress_ft_id="t1").new == kept.tasks["a"]


def test_a_task_that_goes_back_leaves_its_thread() -> None:
    kept = Board()
    kept.create("a")
    kept.move("a", "inprogress", ktask_inprogress_ft_id="t1")
    assert kept.tasks["a"].ktask_inprogress_ft_id == "t1"
    kept.move("a", "todo")
    assert kept.tasks["a"].ktask_inprogress_ft_id is None


def test_the_same_id_again_makes_no_second_task() -> None:
    kept = Board()
    kept.create("a")
    kept.move("a", "todo")
    change = kept.create("a")
    assert (change.action, change.old, change.new) == ("UPDATE", kept.tasks["a"], kept.tasks["a"])


def test_the_next_task_is_the_one_that_has_waited_the_longest() -> None:
    kept = Board()
    for name in ("a", "b", "c"):
        kept.create(name)
    kept.move("b", "todo")
    kept.move("a", "todo")
    found = board.next_todo(kept.tasks.values())
    assert found is not None
    assert found.ktask_id == "b"


@pytest.mark.parametrize(("name", "column", "code"), [("x", "todo", "UnknownTask"), ("a", "later", "UnknownColumn")])
def test_what_is_not_there_is_refused(name: str, column: str, code: str) -> None:
    kept = Board()
    kept.create("a")
    with pytest.raises(BoardError) as refused:
        kept.move(name, column)
    assert refused.value.code == code


def test_a_task_has_bounds() -> None:
    huge = FPersonaKanbanTaskOutput("a", ktask_details={"text": "x" * board.MAX_DETAILS})
    with pytest.raises(BoardError, match="characters as JSON"):
        board.create({}, huge, column="inbox", now=1.0, limit=1, open_tasks=0)
    with pytest.raises(BoardError, match="title"):
        board.create({}, task("a" * (board.MAX_TITLE + 1)), column="inbox", now=1.0, limit=1, open_tasks=0)
    with pytest.raises(BoardError, match="open"):
        board.create({}, task("a"), column="inbox", now=1.0, limit=1, open_tasks=board.MAX_OPEN)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(COLUMNS)), max_size=20))
def test_however_tasks_are_moved_the_limit_holds_and_each_is_where_it_was_put(moves: list[tuple[str, Column]]) -> None:
    kept = Board(limit=1)
    where: dict[str, str] = {}
    for name in "abc":
        kept.create(name)
        where[name] = "inbox"
    for name, column in moves:
        try:
            kept.move(name, column)
        except BoardError:
            assert column == "inprogress"
            assert sum(place == "inprogress" for place in where.values()) == 1
        else:
            where[name] = column
        assert {task.ktask_id: task.calc_bucket() for task in kept.tasks.values()} == where
        assert board.counts(kept.tasks.values())["inprogress"] <= 1


def test_what_the_document_calls_things_by_other_names() -> None:
    described = task("a", ktask_details={"description": "Call Oslo", "phone": "1"})
    assert described.ktask_description == "Call Oslo"
    assert described.ktask_payload_json == '{"description": "Call Oslo", "phone": "1"}'
    assert task("b").ktask_description == ""


def test_a_task_comes_back_from_its_record() -> None:
    original = task("a", ktask_details={"x": [1]})
    assert FPersonaKanbanTaskOutput.from_record(original.as_record() | {"of_a_later_release": 1}) == original
