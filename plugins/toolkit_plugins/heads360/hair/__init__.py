"""Hair, brows, beards and lashes: strands as real geometry."""
