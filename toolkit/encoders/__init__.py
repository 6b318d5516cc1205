"""Trained encoders: their files, and the methods that they make."""

from toolkit.encoders.codes import CodeMethod, open_code_method
from toolkit.encoders.files import EncoderFile, find_encoder, read_encoder, write_encoder
from toolkit.encoders.method import Encoded, EncoderMethod, EncoderOptions, Laps
from toolkit.encoders.two_stage import build_two_stage, encode_two_stage, two_stage_sizes

__all__ = [
    "CodeMethod",
    "Encoded",
    "EncoderFile",
    "EncoderMethod",
    "EncoderOptions",
    "Laps",
    "build_two_stage",
    "encode_two_stage",
    "find_encoder",
    "open_code_method",
    "read_encoder",
    "two_stage_sizes",
    "write_encoder",
]
