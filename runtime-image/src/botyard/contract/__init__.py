"""The contract between operator and runtime: what ConfigMaps, pods and the routing table contain.

The operator writes these documents, the runtime and the gateway read them; both import this package, so that
neither can drift from the other. Nothing here does I/O.
"""
