"""What points of a head look like: skin, eyes, mouth, strands, cloth, metal."""
