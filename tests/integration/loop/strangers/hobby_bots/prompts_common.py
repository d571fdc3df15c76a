PROMPT_KANBAN = "## Kanban\nUse the board."
SCHED_TODO_5M = {
    "sched_type": "SCHED_TODO",
    "sched_when": "EVERY:5m",
    "sched_first_question": "Work on the task.",
    "sched_fexp_name": "default",
}
SCHED_TASK_SORT_10M = {
    "sched_type": "SCHED_TASK_SORT",
    "sched_when": "EVERY:10m",
    "sched_first_question": "Sort the inbox.",
    "sched_fexp_name": "default",
}
