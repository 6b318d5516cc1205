"""`toolkit plugins new`: a small package of one's own that installs, works and tests itself."""

from toolkit.apps.new_plugin.writing import KINDS, write_plugin

__all__ = ["KINDS", "write_plugin"]
