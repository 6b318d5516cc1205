"""What plugin authors test with: a conformance suite, and a tiny generator unlike any tri-grid.

Importing this package imports no torch; `toolkit.testing.conformance` does.
"""
