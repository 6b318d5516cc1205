"""The list of known weights files: purpose, size, source and licence."""

from __future__ import annotations

from dataclasses import dataclass

NON_COMMERCIAL = "CC BY-NC 4.0 (non-commercial)"
NVIDIA = "NVIDIA Source Code License for EG3D (non-commercial)"
OWN = "Apache-2.0"


@dataclass(frozen=True)
class Official:
    """An official weights file: its name here, who publishes it, where, and under which licence."""

    name: str
    """Its kind: what `weights import` makes of it, and what `weights download` calls it."""
    purpose: str
    file: str
    """The name that it is published under."""
    page: str
    """Where people find it."""
    licence: str
    url: str | None = None
    """Direct address; None: fetched by hand, because the page asks for something first."""
    size: int | None = None
    """In bytes, where known."""
    sha256: str | None = None
    """None where no independent source tells."""
    others: tuple[str, ...] = ()
    """Files that belong to it and are imported together with it."""

    @property
    def files(self) -> str:
        """The names of all its files."""
        return " ".join((self.file, *self.others))


_PSP = "https://github.com/eladrich/pixel2style2pixel (auxiliary models)"
_TORCHVISION = "https://pytorch.org/vision/stable/models.html"

MANIFEST = (
    Official(
        "panohead",
        "generator of 360-degree heads, 512 px",
        "easy-khair-180-gpc0.8-trans10-025000.pkl",
        "https://github.com/SizheAn/PanoHead",
        NON_COMMERCIAL,
    ),
    Official(
        "eg3d",
        "generator of faces, 512 px; triplanenet needs this file, goae ffhqrebalanced512-128.pkl",
        "ffhq512-128.pkl",
        "https://catalog.ngc.nvidia.com/orgs/nvidia/teams/research/models/eg3d",
        NVIDIA,
    ),
    Official(
        "spherehead",
        "generator of 360-degree heads with spherical planes, 512 px",
        "spherehead-ckpt-025000.pkl",
        "https://github.com/lhyfst/SphereHead",
        NON_COMMERCIAL,
    ),
    Official("psp", "encoder of pSp", "psp_ffhq_encode.pt", "https://github.com/eladrich/pixel2style2pixel", "MIT"),
    Official("e4e", "encoder of e4e", "e4e_ffhq_encode.pt", "https://github.com/omertov/encoder4editing", "MIT"),
    Official(
        "triplanenet",
        "both stages of TriPlaneNet, for eg3d",
        "triplanenet.pt",
        "https://github.com/anantarb/triplanenet",
        "MIT; the generator inside keeps its own",
    ),
    Official(
        "goae",
        "both networks of GOAE, for eg3d",
        "encoder_FFHQ.pt",
        "https://github.com/jiangyzy/GOAE",
        "not stated",
        others=("afa_FFHQ.pt",),
    ),
    Official(
        "dual-encoder",
        "the dual encoder's own release, for panohead",
        "visible_net.pt",
        "https://github.com/berkegokmen1/dual-enc-3d-gan-inversion",
        "Apache-2.0",
        others=("occluded_net.pt", "latent_avg.npy"),
    ),
    Official(
        "irse50_arcface",
        "recogniser of identity losses, and start of encoders' trunks",
        "model_ir_se50.pth",
        _PSP,
        "MIT",
    ),
    Official(
        "curricularface_ir101", "recogniser of the metric id_curricularface", "CurricularFace_Backbone.pth", _PSP, "MIT"
    ),
    Official(
        "alexnet",
        "trunk of LPIPS: lpips_alex, perceptual lpips-alex",
        "alexnet-owt-7be5be79.pth",
        _TORCHVISION,
        "BSD-3-Clause",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        244_408_911,
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    ),
    Official(
        "vgg16",
        "trunk of LPIPS: lpips_vgg, perceptual lpips-vgg",
        "vgg16-397923af.pth",
        _TORCHVISION,
        "BSD-3-Clause",
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        553_433_881,
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    ),
    Official(
        "inception",
        "network of fid and kid",
        "pt_inception-2015-12-05-6726825d.pth",
        "https://github.com/mseitzer/pytorch-fid/releases",
        "Apache-2.0",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        95_628_359,
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    ),
)
"""Everything that a command may ask for and that is not shipped."""


def official(name: str) -> Official | None:
    """The entry of a kind."""
    return next((entry for entry in MANIFEST if entry.name == name), None)


def licence_of(kind: str) -> str:
    """The licence of official weights of a kind; networks of a method are licensed as the method's file."""
    for entry in MANIFEST:
        if kind == entry.name or kind.replace("-", "_").startswith(entry.name.replace("-", "_")):
            return entry.licence
    return "unknown: see where the file comes from"
