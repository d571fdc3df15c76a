"""Who did what to a task, and when: kept with it, bounded."""

from botyard.loop import board
from botyard.loop.board import Change
from botyard.loop.task_history import KEPT, note
from botyard.loop.tasks import FPersonaKanbanTaskOutput


def created(now: float = 1.0) -> FPersonaKanbanTaskOutput:
    task = FPersonaKanbanTaskOutput("t1", ktask_title="Call Oslo")
    change = board.create({}, task, column="inbox", now=now, limit=2, open_tasks=0)
    note(change, {"user": "ann", "other": "x"}, now)
    assert change.new is not None
    return change.new


def test_a_task_knows_who_made_it_and_who_moved_it() -> None:
    task = created()
    change = board.move({"t1": task}, "t1", "inprogress", now=2.0, limit=2, ktask_inprogress_ft_id="t7")
    note(change, {"persona": "nora", "thread": "t7"}, 2.0)
    assert change.new is not None
    assert change.new.ktask_history == [
        {"at": 1.0, "action": "INSERT", "column": "inbox", "by": {"user": "ann"}, "changed": []},
        {
            "at": 2.0,
            "action": "UPDATE",
            "column": "inprogress",
            "by": {"persona": "nora", "thread": "t7"},
            "changed": ["ktask_inprogress_ft_id"],
        },
    ]
    # Those that look at the task as it was see what was then.
    assert len(task.ktask_history) == 1


def test_what_changes_nothing_is_not_noted_and_is_no_change() -> None:
    task = created()
    change = board.move({"t1": task}, "t1", "inbox", now=2.0, limit=2)
    note(change, {"user": "ben"}, 2.0)
    assert change.new is not None
    assert change.new.ktask_history == task.ktask_history
    assert change.old == change.new


def test_an_end_has_nobody_to_note_it() -> None:
    note(Change("DELETE", created(), None), {"user": "ann"}, 2.0)


def test_the_first_entry_and_the_newest_are_kept() -> None:
    task = created()
    for number in range(2 * KEPT):
        change = board.update({"t1": task}, "t1", ktask_details={"n": number})
        note(change, {"user": "ann" * 100}, 2.0 + number)
        assert change.new is not None
        task = change.new
    assert len(task.ktask_history) == KEPT
    assert task.ktask_history[0]["action"] == "INSERT"
    assert task.ktask_history[-1]["at"] == 1.0 + 2 * KEPT
    assert len(task.ktask_history[-1]["by"]["user"]) == 200


def test_it_survives_in_the_record() -> None:
    task = created()
    assert FPersonaKanbanTaskOutput.from_record(task.as_record()).ktask_history == task.ktask_history
