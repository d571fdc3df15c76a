"""The three kinds of `botyard.dev/v1alpha1` as models, and the CRDs that are generated from them.

A kind is declared once: its fields, their documentation and the rules that the API server enforces stand side by
side in `bundle`, `bot` and `persona`; `crd` turns them into manifests. Nothing here does I/O besides `crd`'s command.
"""
