"""Losses as pure functions of images, and the perceptual distances that need a network."""
