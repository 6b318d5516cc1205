"""Building blocks that several generators and encoders share."""

from toolkit.allocation import keep_freed_memory

keep_freed_memory()
