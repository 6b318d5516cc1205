"""How the embedded networks are trained: on pictures of procedural heads, made on the fly and kept."""
