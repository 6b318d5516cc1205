"""`toolkit train dual-encoder`, `encoder1` and `encoder2`."""
