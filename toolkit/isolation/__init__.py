"""Other people's methods at arm's length: copies of what they get, checks of what they leave behind, own processes.

`guard` calls a method in this process; what it changed of the generator or of the process is undone and named.
`method` keeps a method in a process of its own, which may die or be ended; `worker` is that process.
`output` keeps stdout for results.
"""
