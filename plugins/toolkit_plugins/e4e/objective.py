"""What e4e's training adds to the image losses: codes near W, and near each other."""

from __future__ import annotations

from torch import Tensor

from toolkit_plugins.e4e.encoder import FULL_STAGE

DELTA_WEIGHT = 2e-4
ADVERSARIAL_WEIGHT = 0.1
R1_GAMMA, R1_EVERY = 10.0, 16


def delta_size(ws: Tensor, stage: int) -> Tensor:
    """Sum over layers 1 ... stage of the mean distance to layer 0; 0 at the full stage, where deltas are free.

    Args:
        ws: Codes [B, num_ws, w_dim].
        stage: Number of deltas in play.
    """
    if stage >= FULL_STAGE:
        return ws.new_zeros(())
    deltas = ws[:, 1 : stage + 1] - ws[:, :1]
    return deltas.norm(dim=2).mean(dim=0).sum()
