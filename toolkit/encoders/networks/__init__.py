"""Networks from an image to a code, and from a first inversion to better planes; names as in the published files."""
