"""Applications; chat is the one."""
