"""Clothing: necklines, cloth over the body, collars, hoods, patterns."""
