"""Data set folders: reading, checking, transforming and drawing from them."""

from __future__ import annotations

from toolkit.data.check import Fault, FolderReport, check_folder
from toolkit.data.folder import ImageFolder
from toolkit.data.samplers import EndlessSampler
from toolkit.data.sources import open_source
from toolkit.data.transforms import composite, mirror_item, resize, resize_depth, resize_item

__all__ = [
    "EndlessSampler",
    "Fault",
    "FolderReport",
    "ImageFolder",
    "check_folder",
    "composite",
    "mirror_item",
    "open_source",
    "resize",
    "resize_depth",
    "resize_item",
]
