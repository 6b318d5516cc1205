"""The hooks that a plugin may implement; each receives a `register` callback (see `toolkit.registry.Register`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from toolkit.registry import Register

hookspec = pluggy.HookspecMarker("toolkit")
hookimpl = pluggy.HookimplMarker("toolkit")


@hookspec
def register_generators(register: Register) -> None:
    """Register generators: factory(weights: Path | None, device: str) -> Generator."""


@hookspec
def register_encoders(register: Register) -> None:
    """Register encoders: factory(generator, weights: Path | None) -> Encoder."""


@hookspec
def register_discriminators(register: Register) -> None:
    """Register discriminators: factory(generator, weights: Path | None, **options) -> Discriminator."""


@hookspec
def register_stitchers(register: Register) -> None:
    """Register stitchers: factory() -> Stitcher."""


@hookspec
def register_methods(register: Register) -> None:
    """Register inversion methods: factory(generator, weights: Path | None, options: Mapping) -> Method."""


@hookspec
def register_trainables(register: Register) -> None:
    """Register what `toolkit train NAME` trains: factory(config: Path | None, overrides, device) -> TrainingJob."""


@hookspec
def register_metrics(register: Register) -> None:
    """Register metrics: factory() -> Metric."""


@hookspec
def register_protocols(register: Register) -> None:
    """Register benchmark protocols: factory(context: ProtocolContext) -> BenchProtocol, a class derived from it."""


@hookspec
def register_datasets(register: Register) -> None:
    """Register data sets: factory(path: Path, size: int | None = None) -> Dataset; its owner may offer Makeable."""


@hookspec
def register_pose_estimators(register: Register) -> None:
    """Register pose estimators: factory() -> PoseEstimator."""


@hookspec
def register_face_embedders(register: Register) -> None:
    """Register face embedders: factory(weights: Path | None = None) -> FaceEmbedder."""


@hookspec
def register_perceptual_distances(register: Register) -> None:
    """Register perceptual distances for losses: factory(trunk: Path | None) -> Perceptual."""


@hookspec
def register_losses(register: Register) -> None:
    """Register losses on images for trainings: factory() -> ImageLoss."""


@hookspec
def register_mattings(register: Register) -> None:
    """Register mattings: factory() -> Matting."""


@hookspec
def register_architectures(register: Register) -> None:
    """Register official architectures by kind: factory() -> Architecture."""


@hookspec
def register_method_files(register: Register) -> None:
    """Register official checkpoints of methods, by the method's name: factory() -> MethodFile."""
