"""Sizes and settings of a generator of EG3D's family: from official constructor keywords, golden files or our own."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from typing_extensions import Self

from toolkit.errors import ConfigError
from toolkit.nn.decoder import FEATURE_ACTIVATIONS
from toolkit.nn.superresolution import KINDS
from toolkit.options import made_of
from toolkit.rendering.marching import MarchSettings

NUM_PLANES = 3
OFFICIAL_CLAMP = 256.0
_GOLDEN_SR = {"up_up": "8XDC", "noup_up": "2X", "official8XDC": "8XDC"}


@dataclass(frozen=True)
class About:
    """What is known about a set of weights besides its sizes; goes into the generator's spec."""

    name: str = "panohead"
    world: str = "full"
    licence: str = "CC BY-NC 4.0 (non-commercial)"
    truncation: float = 1.0
    surface_level: float = 10.0
    radius: float = 2.7
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    focal: float = 4.2647
    pitch: float = 0.0
    face_points: tuple[tuple[float, float, float], ...] = ()
    background: tuple[float, float, float] | None = None

    @classmethod
    def from_any(cls, values: Mapping[str, Any] | About) -> About:
        """Take what JSON gives, lists for tuples."""
        if isinstance(values, About):
            return values
        plain = dict(values)
        if "pivot" in plain:
            plain["pivot"] = tuple(plain["pivot"])
        if "face_points" in plain:
            plain["face_points"] = tuple(tuple(point) for point in plain["face_points"])
        if plain.get("background") is not None:
            plain["background"] = tuple(plain["background"])
        return cls(**plain)


_LATER = ("mapping_hidden", "mapping_last")
"""Settings that the first weights files do not know."""


@dataclass(frozen=True)
class VolumeConfig:
    """Everything that decides which tensors a generator has and what it computes."""

    title: ClassVar[str] = "generator"
    """What messages call the family's member."""

    z_dim: int = 512
    w_dim: int = 512
    c_dim: int = 25
    mapping_layers: int = 2
    mapping_hidden: int | None = None
    """Width between the mapping's layers; None: `w_dim`."""
    mapping_last: str | None = None
    """Activation of its last layer; None: that of all."""
    image_size: int = 512
    raw_size: int = 64
    """Side of the ray grid by default."""
    channel_base: int = 32768
    channel_max: int = 512
    plane_size: int = 256
    feature_channels: int = 32
    """Channels read at a point, which is also what the decoder puts out."""
    decoder_hidden: int = 64
    decoder_activation: str = "none"
    decoder_lr: float = 1.0
    density_scale: float = 1.0
    """Factor on the decoder's density (not in the original): a training of hours needs it, one of days does not."""
    use_torgb: bool = True
    """Whether the raw image comes from a modulated layer, or is the first three feature channels."""
    use_background: bool = True
    background_channel_base: int | None = None
    """None: half of `channel_base`."""
    background_channel_max: int | None = None
    """None: `channel_max`."""
    clamp: float | None = None
    """Limit of the outputs of backbone and background layers."""
    sr_kind: str = "8XDC"
    sr_widths: tuple[int, int] = (256, 128)
    sr_clamp: float | None = OFFICIAL_CLAMP
    sr_noise: str = "none"
    sr_antialias: bool = True
    samples: int = 48
    importance_samples: int = 48
    ray_start: float | str = 2.25
    ray_end: float | str = 3.3
    box: float = 1.0
    crop_margin: float | None = 0.1
    """How far inside the box, along x and z, the renderer stops seeing anything; None: no crop."""
    white_back: bool = False
    disparity: bool = False
    label_scale: float = 1.0
    """Factor on the label before it conditions the mapping."""
    blind_mapping: bool = False
    """Whether the mapping gets zeros for the label."""
    about: About = field(default_factory=About)

    def __post_init__(self) -> None:
        """Check what no constructor further down would explain.

        Raises:
            ConfigError: An impossible value.
        """
        for name in ("plane_size", "image_size"):
            value = getattr(self, name)
            if value < 4 or value & (value - 1):
                raise ConfigError(f"{name} must be a power of two of at least 4, got {value}")
        if self.sr_kind not in KINDS:
            raise ConfigError(f"sr_kind must be one of {', '.join(KINDS)}, got {self.sr_kind!r}")
        if self.decoder_activation not in FEATURE_ACTIVATIONS:
            raise ConfigError(
                f"decoder_activation must be one of {', '.join(FEATURE_ACTIVATIONS)}, got {self.decoder_activation!r}"
            )
        if self.samples < (4 if self.importance_samples else 2):
            raise ConfigError(f"samples must be at least 4 with importance sampling and 2 without, got {self.samples}")
        if self.feature_channels < 3:
            raise ConfigError(f"feature_channels must be at least 3, got {self.feature_channels}")

    @property
    def sr_input(self) -> int:
        """Side of the super-resolution's input and of the background."""
        return self.image_size // KINDS[self.sr_kind].factor

    @property
    def plane_channels(self) -> int:
        """Channels of one plane."""
        return self.feature_channels

    @property
    def backbone_channels(self) -> int:
        """Channels of the backbone's output image."""
        return NUM_PLANES * self.plane_channels

    @property
    def planes_shape(self) -> tuple[int, ...]:
        """Shape of one head's planes, without the batch."""
        return (NUM_PLANES, self.plane_channels, self.plane_size, self.plane_size)

    @property
    def march_settings(self) -> MarchSettings:
        """Where rays are sampled."""
        return MarchSettings(
            self.samples,
            self.importance_samples,
            self.ray_start,
            self.ray_end,
            box=self.box,
            disparity=self.disparity,
            white_back=self.white_back,
        )

    @classmethod
    def released(cls) -> Self:
        """The configuration of the released checkpoint."""
        return cls()

    @classmethod
    def from_any(cls, config: Mapping[str, Any] | Self | str | None) -> Self:
        """Take a configuration in any of the forms in which one is met.

        Args:
            config: None (as released), one of ours (object or its JSON), official constructor keywords, or the `config`
                of a golden file.

        Raises:
            ConfigError: It is none of these, or lacks something.
        """
        if config is None:
            return cls.released()
        if isinstance(config, VolumeConfig):
            return config
        loaded: dict[str, Any] = json.loads(config) if isinstance(config, str) else dict(config)
        if "rendering_kwargs" in loaded:
            return cls.from_official_kwargs(loaded)
        if "sr" in loaded:
            return cls.from_golden_config(loaded)
        return cls.from_dict(loaded)

    @classmethod
    def from_official_kwargs(cls, kwargs: Mapping[str, Any]) -> Self:
        """Read the keyword arguments of the official constructor, with its defaults where a key is missing.

        Raises:
            ConfigError: A key without a default is missing, or a value is not supported.
        """
        options = kwargs.get("rendering_kwargs", {})
        if options.get("clamp_mode", "softplus") != "softplus":
            raise ConfigError(f"clamp_mode must be 'softplus', got {options['clamp_mode']!r}")
        try:
            return cls(**cls._official_values(kwargs, options))
        except KeyError as error:
            raise ConfigError(f"the official constructor's keywords lack {error.args[0]!r}") from error

    @classmethod
    def _official_values(cls, kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """Our settings from official ones; a derived class adds its own."""
        kind = _official_sr_kind(options["superresolution_module"])
        return {
            "z_dim": kwargs["z_dim"],
            "w_dim": kwargs["w_dim"],
            "c_dim": kwargs["c_dim"],
            "mapping_layers": kwargs.get("mapping_kwargs", {}).get("num_layers", 8),
            "mapping_hidden": kwargs.get("mapping_kwargs", {}).get("layer_features"),
            "image_size": kwargs["img_resolution"],
            # an attribute of the pickled object, which importing adds to the constructor's keywords
            "raw_size": kwargs.get("neural_rendering_resolution", 64),
            "channel_base": kwargs.get("channel_base", 32768),
            "channel_max": kwargs.get("channel_max", 512),
            "decoder_lr": options.get("decoder_lr_mul", 1.0),
            # a block that is not told its clamp assumes 256
            "clamp": kwargs.get("conv_clamp", OFFICIAL_CLAMP),
            "sr_kind": kind,
            "sr_widths": KINDS[kind].widths,
            "sr_clamp": OFFICIAL_CLAMP if kwargs.get("sr_num_fp16_res", 0) > 0 else None,
            "sr_noise": options.get("superresolution_noise_mode", "none"),
            "sr_antialias": options.get("sr_antialias", True),
            "samples": options["depth_resolution"],
            "importance_samples": options["depth_resolution_importance"],
            "ray_start": options["ray_start"],
            "ray_end": options["ray_end"],
            "box": float(options["box_warp"]),
            "white_back": bool(options.get("white_back", False)),
            "disparity": bool(options.get("disparity_space_sampling", False)),
            "label_scale": options.get("c_scale", 0.0),
            "blind_mapping": bool(options.get("c_gen_conditioning_zero", False)),
        }

    @classmethod
    def from_golden_config(cls, config: Mapping[str, Any]) -> Self:
        """Read the `config` of a golden file.

        Raises:
            ConfigError: A key is missing or has an unknown value.
        """
        try:
            return cls(**cls._golden_values(config))
        except KeyError as error:
            raise ConfigError(f"this {cls.title} configuration lacks, or does not know, {error.args[0]!r}") from error

    @classmethod
    def _golden_values(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Our settings from a golden file's; a derived class adds its own."""
        sr, case = config["sr"], config.get("case", {})
        kind = _GOLDEN_SR[sr["kind"]]
        widths = sr.get("mid_channels") or KINDS[kind].widths
        return {
            "z_dim": config["z_dim"],
            "w_dim": config["w_dim"],
            "c_dim": config.get("c_dim", 25),
            "mapping_layers": config["mapping_layers"],
            "image_size": config["img_resolution"],
            "raw_size": case.get("nrr0") or case.get("nrr") or 64,
            "channel_base": config["channel_base"],
            "channel_max": config["channel_max"],
            "decoder_lr": config.get("decoder_lr_mul", 1.0),
            "sr_kind": kind,
            "sr_widths": (widths[0], widths[1]),
            "sr_clamp": OFFICIAL_CLAMP if sr.get("sr_num_fp16_res", 0) > 0 else None,
            "samples": config["depth_resolution"],
            "importance_samples": config["depth_resolution_importance"],
            "ray_start": config["ray_start"],
            "ray_end": config["ray_end"],
            "box": float(config["box_warp"]),
            "white_back": config.get("white_back", False),
            "disparity": config.get("disparity_space_sampling", False),
            "label_scale": config["c_scale"],
            "blind_mapping": config.get("c_gen_conditioning_zero", False),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises:
            ConfigError: An unknown key.
        """
        return made_of(cls, values, cls.title)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON; what came later is left out where it is unset, so that fingerprints stay."""
        values = dataclasses.asdict(self)
        return {key: value for key, value in values.items() if key not in _LATER or value is not None}

    def with_sr_widths(self, widths: tuple[int, int]) -> Self:
        """The same with other super-resolution widths (what a state dict's shapes say)."""
        return replace(self, sr_widths=widths)


def _official_sr_kind(class_path: str) -> str:
    """'8XDC' from a path like `training.superresolution.SuperresolutionHybrid8XDC`."""
    match = re.search(r"SuperresolutionHybrid(8XDC|8X|4X|2X)$", class_path)
    if match is None:
        raise ConfigError(f"super-resolution module {class_path!r} is not one of the kinds {', '.join(KINDS)}")
    return match.group(1)
