"""Keys of a Persona's events: its own, or one of its threads'. They share a partition (`BotAddress.affinity`)."""


def persona_key(persona: str) -> str:
    """Return the key of a Persona's own events: tasks, rows, schedules."""
    return f":{persona}"


def thread_key(persona: str, thread: str) -> str:
    """Return the key of one of its threads; it is what clients know as the conversation."""
    return f"{persona}~{thread}"


def thread_of_task(task: str) -> str:
    """Return the thread that works on a task."""
    return f"task_{task}"


def task_of(key: str) -> str:
    """Return the task that the thread of a key works on; empty: none."""
    _, _, thread = key.partition("~")
    return thread.removeprefix("task_") if thread.startswith("task_") else ""


def is_the_persona_s(thread: str) -> bool:
    """Tell whether a thread has a name that Personas give: of a task, a schedule, a thread that a bot began."""
    return thread.startswith(("task_", "sched_", "thread_"))


def parse(key: str) -> tuple[str, str]:
    """Return the Persona and the thread of a key; the thread is empty for the Persona's own.

    Raises:
        ValueError: It is the key of no Persona.
    """
    if key.startswith(":"):
        return key[1:], ""
    persona, separator, thread = key.partition("~")
    if not separator or not persona or not thread:
        raise ValueError(f"{key!r} belongs to no Persona")
    return persona, thread


def call_id(thread: str, message: int, number: int) -> str:
    """Return the id of the `number`-th call of a thread's message; the thread is found in it again."""
    return f"{thread}.{message}.{number}"


def thread_of_call(call: str) -> str:
    """Return the thread of a call's id.

    Raises:
        ValueError: It is none.
    """
    return _parts_of_call(call)[0]


def place_of_call(call: str) -> tuple[int, int]:
    """Return the message that made a call, and which of its calls it is.

    Raises:
        ValueError: The id is none.
    """
    _, message, number = _parts_of_call(call)
    return int(message), int(number)


def _parts_of_call(call: str) -> tuple[str, str, str]:
    parts = call.rsplit(".", 2)
    if len(parts) != 3 or not parts[0] or not (parts[1].isdecimal() and parts[2].isdecimal()):
        raise ValueError(f"{call!r} is no id of a call")
    return parts[0], parts[1], parts[2]
