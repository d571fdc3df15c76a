"""The channels of workflow clients: `/sse/*` and Socket.IO, with their user types, limits and denials."""
