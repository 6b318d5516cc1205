"""Other people's methods at arm's length: copies of what they get, checks of what they leave behind, own processes.

`guard` opens a method and asks it for inversions; `method` is one in a process of its own, which may die or be ended;
`worker` is that process; `messages` is what the two say to each other. `watch` puts back what a method changed of a
generator, `returned` checks what it returns.
"""
