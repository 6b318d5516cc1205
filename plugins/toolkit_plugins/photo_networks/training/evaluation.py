"""How well a student agrees with its teacher: on distances between faces, and on who is the same person."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr
from torch import Tensor

SCORES = (
    "error", "correlation", "rank_correlation", "correlation_strangers", "verification", "verification_teacher",
)  # fmt: skip
"""What `score_student` tells."""


def score_student(student: Tensor, teacher: Tensor, people: Tensor) -> dict[str, float]:
    """Compare descriptors [N, 128] of the same faces, of people [N].

    Returns:
        error: mean distance of the student's descriptor from the teacher's;
        correlation, rank_correlation: of the distances of all pairs of faces (Pearson, Spearman);
        correlation_strangers: Pearson's, of pairs of different people only;
        verification, verification_teacher: best balanced accuracy of telling pairs of one person from strangers.
    """
    first, second = np.triu_indices(len(people), 1)
    mine, theirs = (torch.cdist(side.double(), side.double()).numpy()[first, second] for side in (student, teacher))
    same = (people[first] == people[second]).numpy()
    return {
        "error": float((student - teacher).norm(dim=1).mean()),
        "correlation": float(pearsonr(mine, theirs)[0]),
        "rank_correlation": float(spearmanr(mine, theirs)[0]),
        "correlation_strangers": float(pearsonr(mine[~same], theirs[~same])[0]),
        "verification": best_accuracy(mine[same], mine[~same]),
        "verification_teacher": best_accuracy(theirs[same], theirs[~same]),
    }


def best_accuracy(same: np.ndarray, different: np.ndarray) -> float:
    """Mean of the shares of distances that the best threshold gets right: `same` below it, `different` above."""
    places = np.unique(np.concatenate([same, different]))
    below = np.searchsorted(np.sort(same), places, side="right") / len(same)
    above = 1 - np.searchsorted(np.sort(different), places, side="right") / len(different)
    return float(((below + above) / 2).max())
