"""From a photograph to what a generator's inversion starts from: (image, camera, mask)."""
