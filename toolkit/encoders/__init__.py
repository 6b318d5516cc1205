"""Networks that read a code off an image: their checkpoint files, the method around them, their training."""

from toolkit.encoders.code_encoder import CodeEncoder, build_code_encoder
from toolkit.encoders.descent import DescentEncoder
from toolkit.encoders.files import EncoderFile, find_encoder, read_encoder, write_encoder
from toolkit.encoders.method import EncoderMethod, EncoderOpener, EncoderOptions
from toolkit.encoders.triplanenet import TriPlaneNetV1, TriPlaneNetV2, build_triplanenet

__all__ = [
    "CodeEncoder",
    "DescentEncoder",
    "EncoderFile",
    "EncoderMethod",
    "EncoderOpener",
    "EncoderOptions",
    "TriPlaneNetV1",
    "TriPlaneNetV2",
    "build_code_encoder",
    "build_triplanenet",
    "find_encoder",
    "read_encoder",
    "write_encoder",
]
