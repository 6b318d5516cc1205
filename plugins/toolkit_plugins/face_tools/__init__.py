"""The built-in parts between a photo and a generator: pose from five landmarks, mattings without downloads."""

from __future__ import annotations

from toolkit.hookspecs import hookimpl
from toolkit.registry import Register


@hookimpl
def register_pose_estimators(register: Register) -> None:
    """Offer the five-point estimator."""
    register(
        "five_point",
        "toolkit.faces.pose:FivePointPose",
        summary="pose from five landmarks: linear yaw, shape-aware pitch and roll",
        interface=1,
    )


@hookimpl
def register_mattings(register: Register) -> None:
    """Offer the classical mattings."""
    register(
        "grabcut",
        "toolkit.faces.grabcut:GrabCutMatting",
        summary="GrabCut started from the landmarks: head, hair and shoulders",
        interface=1,
    )
    register(
        "white",
        "toolkit.faces.background:UniformMatting",
        summary="keys out a nearly uniform background, e.g. of renders on white",
        interface=1,
    )
