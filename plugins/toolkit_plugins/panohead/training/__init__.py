"""How `panohead-mini` is trained: on rays of procedural heads, then on patches through super-resolution."""
