"""Labels of what a pixel's centre sees."""

from __future__ import annotations

from enum import IntEnum


class Label(IntEnum):
    """Values of the label pictures."""

    BACKGROUND = 0
    SKIN = 1
    HAIR = 2
    BROW = 3
    EYE = 4
    LIP = 5
    MOUTH = 6
    BEARD = 7
    CLOTH = 8
    ACCESSORY = 9
    EAR = 10
    NECK = 11
