"""How well a recogniser tells whether two faces are of one head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

FOLDS = 10


class Verification(NamedTuple):
    """Shares 0..1 of pairs that are classified correctly by a threshold on the cosine, chosen on other heads."""

    accuracy: float
    """Same head against unrelated heads."""
    relatives: float
    """Same head against relatives, who share half of the latent; NaN without any."""
    pairs: int
    """Of one kind in `accuracy`: as many of the same head as of different ones."""


def verify(embeddings: Tensor, relatives: Tensor, seed: int = 0) -> Verification:
    """Ten-fold verification: each fold's heads are classified by the best threshold of the others.

    Args:
        embeddings: Unit vectors [H, F, E] of F faces of each of H heads.
        relatives: Pairs of heads [R, 2] that are related.
        seed: Draws the different pairs.
    """
    heads, faces = embeddings.shape[:2]
    rng = np.random.Generator(np.random.PCG64(seed))
    first, second = np.triu_indices(faces, 1)
    same = (embeddings[:, first] * embeddings[:, second]).sum(-1).numpy()
    strangers = ~torch.eye(heads, dtype=torch.bool)
    strangers[relatives[:, 0], relatives[:, 1]] = strangers[relatives[:, 1], relatives[:, 0]] = False
    different = np.empty_like(same)
    for head in range(heads):
        partner = torch.from_numpy(rng.choice(strangers[head].nonzero()[:, 0].numpy(), len(first)))
        mine, theirs = embeddings[head, torch.from_numpy(first)], embeddings[partner, torch.from_numpy(second)]
        different[head] = (mine * theirs).sum(-1).numpy()
    accuracy = _folded(same, different)
    if not len(relatives):
        return Verification(accuracy, float("nan"), same.size)
    near = (embeddings[relatives[:, 0]][:, first] * embeddings[relatives[:, 1]][:, second]).sum(-1).numpy()
    return Verification(accuracy, _folded(same[relatives[:, 0].numpy()], near), same.size)


def _folded(same: np.ndarray, different: np.ndarray) -> float:
    """Mean accuracy over folds of the heads (rows) of cosines [H, P] each."""
    folds = np.arange(len(same)) % min(FOLDS, len(same))
    scores = []
    for fold in np.unique(folds):
        rest = folds != fold if len(same) > 1 else folds == fold
        threshold = _best_threshold(same[rest].ravel(), different[rest].ravel())
        scores.append(((same[folds == fold] > threshold).mean() + (different[folds == fold] <= threshold).mean()) / 2)
    return float(np.mean(scores))


def _best_threshold(same: np.ndarray, different: np.ndarray) -> float:
    places = np.unique(np.concatenate([same, different]))
    places = places[:: max(1, len(places) // 400)]
    right = [(same > place).mean() + (different <= place).mean() for place in places]
    return float(places[int(np.argmax(right))])
