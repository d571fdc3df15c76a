"""The names that workflow bundles import, on top of `botyard.workflow`.

Bundles written for the package of this name run unmodified. What a name does is in `botyard.workflow`; these modules
only say where bundles look.
"""
