"""The runtime core: partitioned inboxes, leases, and turns that commit whole or not at all.

Everything here is general: it knows keys, events, states and outputs, never a programming model. The rules that must
hold under concurrency are Lua scripts (`scripts/`), each touching the keys of one partition only, so that Redis
Cluster can run them.
"""
