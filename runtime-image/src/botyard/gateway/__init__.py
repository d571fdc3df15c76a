"""The gateway: everything that comes from outside enters here (HTTP, server-sent events, callbacks, console).

Layers, from the bottom: `problems`, `models`, `cache`, `identity` (pure) → `routes`, `authentication`,
`authorization` (I/O behind small classes) → `messages`, `conversations`, `events`, `callbacks`, `bots` (one call
each) → `app` (wiring) → `server` and `main` (a process).
"""
