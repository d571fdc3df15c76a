"""Building a bundle: its dependencies into a layer, its code into a manifest.

A build pod has two containers that share some folders. The *courier* holds the pod's tokens: it fetches the source,
and delivers layer, log and report to the operator. The *builder* holds none: it runs what a stranger wrote, `setup.py`
and the bundle's own imports. Whatever that code does, it can only spoil the result of its own build.
"""
