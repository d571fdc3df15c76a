"""Names of the existing system's own tools, in the sets by which install functions say what an expert may call.

Botyard offers none of these tools; the sets exist so that install functions that join them run. Patterns of the same
shape allow or block a bot's own tools.
"""

KANBAN_SAFE = frozenset({"flexus_kanban_public", "flexus_kanban_safe"})
KANBAN_TRIAGE = frozenset({"flexus_kanban_triage"})
KANBAN_PUBLIC = frozenset({"flexus_kanban_public"})
KANBAN_ADVANCED = KANBAN_SAFE | KANBAN_TRIAGE | {"flexus_kanban_advanced"}
KANBAN_BOSS = KANBAN_ADVANCED | {"flexus_kanban_boss"}
CLOUDTOOLS_NOT_KANBAN = frozenset({"flexus_fetch_skill", "flexus_vector_search", "flexus_read_original", "web"})
CLOUDTOOLS_QUITE_A_LOT = CLOUDTOOLS_NOT_KANBAN | KANBAN_SAFE
CLOUDTOOLS_ADVANCED = CLOUDTOOLS_QUITE_A_LOT | KANBAN_ADVANCED
CLOUDTOOLS_SCARY_TOOLS = frozenset({"flexus_bot_hire", "flexus_bot_kanban", "flexus_hand_over_task", "flexus_my_setup"})
