"""The names that loop bots import, on top of `botyard.loop`.

Bots written for the kit of this name run unmodified. What a name does is in `botyard.loop`; these modules only say
where bots look.
"""
