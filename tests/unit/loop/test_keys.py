"""Keys of a Persona's events."""

import pytest

from botyard.loop import keys


def test_the_thread_of_a_task_tells_its_task() -> None:
    assert keys.task_of(keys.thread_key("nora", keys.thread_of_task("task_1"))) == "task_1"


@pytest.mark.parametrize("key", [":nora", "nora~t1", "c1", ":task_1", "task_1"])
def test_other_keys_have_no_task(key: str) -> None:
    assert keys.task_of(key) == ""
