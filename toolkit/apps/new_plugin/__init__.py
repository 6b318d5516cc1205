"""`toolkit plugins new`: writes a small package that installs, works and has tests."""

from toolkit.apps.new_plugin.writing import KINDS, write_plugin

__all__ = ["KINDS", "write_plugin"]
