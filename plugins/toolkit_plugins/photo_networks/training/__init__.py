"""The training of `identity-lite`: people, what dlib's recogniser says of their faces, and a head that learns it."""
