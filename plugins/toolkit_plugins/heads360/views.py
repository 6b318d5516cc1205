"""Names of views and the cameras that they mean.

`left` and `right` are sides of a frontal picture: `left_30` is yaw -30 degrees, the camera moves towards image-left
(-x) and sees more of the cheek that is on the left of the frontal picture; `right_30` is yaw +30. All named views are
level (pitch 0), at EG3D's radius and focal length, and look at the origin.

| name                                 | yaw in degrees                          |
| ------------------------------------ | --------------------------------------- |
| front                                | 0                                       |
| left_30, left_60, left_90            | -30, -60, -90                           |
| right_30, right_60, right_90         | 30, 60, 90                              |
| back                                 | 180                                     |
| yaw_<degrees>, e.g. yaw_-45          | as it says, -360..360                   |
| random, random_0, random_1, ...      | uniform over the circle, pitch +-25     |
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit_plugins.heads360.identity import stream

YAWS = {
    "front": 0,
    "left_30": -30,
    "left_60": -60,
    "left_90": -90,
    "right_30": 30,
    "right_60": 60,
    "right_90": 90,
    "back": 180,
}
"""Degrees."""
HIGHEST_PITCH = 25.0
"""Of random views, degrees."""
_YAW = re.compile(r"yaw_(-?\d{1,3}(?:\.\d{1,3})?)")
_RANDOM = re.compile(r"random(?:_(\d{1,6}))?")


def check_views(names: Sequence[str]) -> None:
    """Refuse names that mean no view.

    Raises:
        InputError: No names, an unknown name, or one name twice.
    """
    if not names:
        raise InputError("views must name at least one view")
    for name in names:
        yaw = _YAW.fullmatch(name)
        if name not in YAWS and not _RANDOM.fullmatch(name) and not (yaw and abs(float(yaw[1])) <= 360):
            known = ", ".join(YAWS)
            raise InputError(f"views must be of {known}, yaw_<degrees>, random or random_<number>; got {name!r}")
    doubled = sorted({name for name in names if list(names).count(name) > 1})
    if doubled:
        raise InputError(f"views must differ, got {doubled[0]!r} more than once")


def view_camera(name: str, split: str, seed: int, index: int) -> Camera:
    """The camera (batch of 1) of a checked view name for an identity; only random views depend on the identity."""
    yaw = _YAW.fullmatch(name)
    if name in YAWS or yaw:
        return Camera.orbit(math.radians(float(yaw[1]) if yaw else YAWS[name]))
    chosen = _RANDOM.fullmatch(name)
    number = int(chosen[1]) + 1 if chosen and chosen[1] else 0
    turn, lift = stream(f"people/views/{split}", seed, index, number).uniform(-1, 1, 2).tolist()
    return Camera.orbit(math.pi * turn, math.radians(HIGHEST_PITCH * lift))
