"""Methods that live in an environment of their own: run as a command, spoken to through files.

A method whose packages clash with the toolkit's is described in one YAML file and used like any other:
`toolkit invert me.jpg --method goha.yaml`, `toolkit bench --methods psp,goha.yaml`. See docs/plugins.md.
"""

from toolkit.external.declaration import ENDINGS, Declaration, is_declaration, read_declaration
from toolkit.external.method import ExternalMethod, open_external

__all__ = ["ENDINGS", "Declaration", "ExternalMethod", "is_declaration", "open_external", "read_declaration"]
