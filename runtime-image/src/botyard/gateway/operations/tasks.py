"""Calls of the tasks of a Persona's board."""

from botyard.gateway import personas
from botyard.gateway.models.messages import AcceptedEvent
from botyard.gateway.models.tasks import TaskList, TaskMove, TaskRequest, TaskWithHistory
from botyard.gateway.operations.operation import CHANGE_PROBLEMS, PAGE, PERSONA, PERSONA_PROBLEMS, Operation, Parameter

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        PERSONA + "/tasks",
        personas.list_tasks,
        "List the tasks of a Persona's board",
        200,
        answer=TaskList,
        problems=PERSONA_PROBLEMS,
        parameters=(*PAGE, Parameter("column", "query", "Only the tasks of this column.")),
    ),
    Operation(
        "GET",
        PERSONA + "/tasks/{task}",
        personas.get_task,
        "Read a task and who changed it when",
        200,
        answer=TaskWithHistory,
        problems=(*PERSONA_PROBLEMS, "unknown-task"),
    ),
    Operation(
        "POST",
        PERSONA + "/tasks",
        personas.post_task,
        "Put a task on a Persona's board",
        202,
        answer=AcceptedEvent,
        body=TaskRequest,
        problems=CHANGE_PROBLEMS,
    ),
    Operation(
        "POST",
        PERSONA + "/tasks/{task}/move",
        personas.move_task,
        "Move a task to another column",
        202,
        answer=AcceptedEvent,
        body=TaskMove,
        problems=CHANGE_PROBLEMS,
    ),
)
