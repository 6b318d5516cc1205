"""One decoder layer without self-attention: queries look at a set of tokens, then pass a small network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.errors import ConfigError

_WIDENING = 2


class CrossAttention(nn.Module):
    """x = norm(query + attention), then x + network(x); the norm has no weights and nothing is normalised after."""

    def __init__(self, width: int, heads: int = 4, dropout: float = 0.1) -> None:
        """Lay out the layers.

        Raises:
            ConfigError: The heads do not divide the width.
        """
        super().__init__()
        if heads < 1 or width % heads:
            raise ConfigError(f"{heads} attention heads do not divide a width of {width}")
        self.multihead_attn = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.linear1 = nn.Linear(width, _WIDENING * width)
        self.linear2 = nn.Linear(_WIDENING * width, width)
        self.dropout = nn.Dropout(dropout)

    @torch.no_grad()
    def begin_at(self, level: float, leak: float = 0.05) -> None:
        """Start a training where the result is nearly `level`, whatever the tokens.

        The small network's hidden layer is wide enough to hold x and -x, so that it can undo all but a `leak` of what
        it is added to; the smaller part of its first, random weights that stays keeps its units apart.
        """
        eye = torch.eye(self.linear2.out_features, device=self.linear2.weight.device)
        self.linear1.weight.mul_(leak).add_(torch.cat([eye, -eye]))
        self.linear2.weight.mul_(leak).add_((1 - leak) * torch.cat([-eye, eye], dim=1))
        self.linear1.bias.zero_()
        self.linear2.bias.fill_(level)

    def forward(self, query: Tensor, tokens: Tensor) -> Tensor:
        """Queries [B, M, C] look at tokens [B, N, C]: [B, M, C]."""
        attended, _ = self.multihead_attn(query, tokens, tokens, need_weights=False)
        x = normalised(query + self.dropout(attended))
        widened = self.dropout(torch.relu(self.linear1(x)))
        return x + self.dropout(self.linear2(widened))


def normalised(tokens: Tensor) -> Tensor:
    """Layer norm [..., C] over C without weights."""
    return F.layer_norm(tokens, tokens.shape[-1:])
