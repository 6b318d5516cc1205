"""Methods in an environment of their own: each runs as a command, and exchanges files with the toolkit.

A method whose packages clash with the toolkit's is described in one YAML file and used like any other:
`toolkit invert me.jpg --method goha.yaml`, `toolkit bench --methods psp,goha.yaml`. See docs/plugins/elsewhere.md.

`declaration` imports no torch; `method` does.
"""
