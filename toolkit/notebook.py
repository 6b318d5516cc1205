"""How a notebook displays a result: as a picture or as a table."""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

WIDEST = 8
"""Pictures in a row."""


def png(images: Tensor) -> bytes:
    """A PNG file of a batch of pictures, side by side, eight in a row.

    Args:
        images: [B, 3, H, W] in [-1, 1]; what lies outside is cut off.
    """
    from PIL import Image
    from torchvision.utils import make_grid

    sheet = make_grid(images.detach().float().cpu().clamp(-1, 1), nrow=WIDEST, padding=0, pad_value=1)
    pixels = ((sheet + 1) * 127.5).round().byte().permute(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(pixels.contiguous().numpy()).save(file, "png")
    return file.getvalue()


def html_table(title: str, headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in HTML; every text is shown as it is written."""

    def cells(kind: str, texts: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{kind}>{html.escape(text)}</{kind}>" for text in texts) + "</tr>"

    body = "".join(cells("td", line) for line in lines)
    return f"<table><caption>{html.escape(title)}</caption>{cells('th', headings)}{body}</table>"
