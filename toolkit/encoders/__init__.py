"""Trained encoders: their files, and the methods that they make."""

from toolkit.encoders.files import EncoderFile, find_encoder, read_encoder, write_encoder
from toolkit.encoders.method import Encoded, EncoderMethod, EncoderOptions, Laps, read_options

__all__ = [
    "Encoded",
    "EncoderFile",
    "EncoderMethod",
    "EncoderOptions",
    "Laps",
    "find_encoder",
    "read_encoder",
    "read_options",
    "write_encoder",
]
