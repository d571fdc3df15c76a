"""A graph of nodes in the style of LangGraph, without it."""

END = "__end__"


class Graph:
    def __init__(self):
        self.nodes, self.edges = {}, {}

    def node(self, name, function):
        self.nodes[name] = function
        return self

    def edge(self, source, choose):
        self.edges[source] = choose if callable(choose) else (lambda state: choose)
        return self

    async def ainvoke(self, state, start):
        name = start
        while name != END:
            state = {**state, **(await self.nodes[name](state) or {})}
            name = self.edges[name](state)
        return state
