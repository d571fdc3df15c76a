"""Channels: how messengers and other systems talk to bots without knowing Botyard's API (docs/channels.md).

A channel belongs to one bot. What comes in becomes an ordinary event of the bot's inbox; what the bot says is read from
the conversation's outputs and delivered in order, at least once. Secrets of vendors stay in this process.
"""
