"""Methods kept apart from the rest: they get copies, what they change is undone, some get processes of their own.

`guard` opens a method and asks it for inversions; `method` is one in a process of its own, which may die or be ended;
`worker` is that process; `messages` is what the two say to each other. `watch` puts back what a method changed of a
generator, `returned` checks what it returns.
"""
