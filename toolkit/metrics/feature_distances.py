"""Distances between two sets of feature vectors, Frechet (FID) and kernel (KID), by clean-fid."""

from __future__ import annotations

import contextlib
import sys
import warnings

import numpy as np
import torch
from torch import Tensor

from toolkit.errors import InputError

KID_SUBSET = 1000
KID_SUBSETS = 100


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Frechet distance of the Gaussians fitted to features [n1, d] and [n2, d] (covariances over n - 1), by clean-fid.

    With fewer samples than dimensions, both sides are turned into the space that they span first, which changes no
    distance and makes the root of the covariances' product cheap.

    Raises:
        InputError: Fewer than two samples, unequal dimensions, or values that are not finite or far too large.
    """
    first, second = checked_sides(first, second)
    if len(first) + len(second) < first.shape[1]:
        first, second = _spanned(first, second)
    elif first.shape[1] == 1:  # scipy's root of a 1 x 1 matrix has another form, on which clean-fid stumbles
        first, second = (torch.nn.functional.pad(side, (0, 1)) for side in (first, second))
    moments = [(side.mean(0), np.cov(side, rowvar=False)) for side in (first.numpy(), second.numpy())]
    from cleanfid.fid import frechet_distance as distance

    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):  # stdout is for results
        warnings.filterwarnings("ignore", "The `disp` argument", DeprecationWarning)  # clean-fid's call of scipy
        warnings.filterwarnings("ignore", category=RuntimeWarning)  # samples that are all the same
        try:
            return _not_negative(float(distance(*moments[0], *moments[1])))
        except ValueError as error:
            raise InputError(f"the features cannot be compared: clean-fid says {str(error)[:100]!r}") from error


def _spanned(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides in orthonormal coordinates of what they span around a mean: distances are the same."""
    mean = first.mean(0)
    basis = torch.linalg.qr(torch.cat([first, second]).sub(mean).T)[0]
    return (first - mean) @ basis, (second - mean) @ basis


def kernel_distance(first: Tensor, second: Tensor, subset: int = KID_SUBSET, seed: int = 0) -> float:
    """KID: unbiased squared MMD of features [n1, d], [n2, d] under the kernel (x.y / d + 1)^3, by clean-fid.

    All samples are used at once where both sides have one number of at most `subset`; otherwise the mean over 100
    seeded draws of as many from each side.

    Raises:
        InputError: Fewer than two samples, unequal dimensions, or values that are not finite.
    """
    first, second = checked_sides(first, second)
    from cleanfid.fid import kernel_distance as distance

    everything = len(first) == len(second) <= subset
    state = np.random.get_state()
    np.random.seed(seed)  # clean-fid draws from numpy's global generator
    try:
        draws = 1 if everything else KID_SUBSETS
        return float(distance(first.numpy(), second.numpy(), num_subsets=draws, max_subset_size=subset))
    finally:
        np.random.set_state(state)


def checked_sides(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Features [n1, d] and [n2, d] of two sides as float64 on the CPU.

    Raises:
        InputError: Fewer than two samples, unequal dimensions, or values that are not finite.
    """
    first, second = _checked(first), _checked(second)
    if first.shape[1] != second.shape[1]:
        raise InputError(f"features of {first.shape[1]} and {second.shape[1]} dimensions cannot be compared")
    return first, second


def _checked(features: Tensor) -> Tensor:
    if features.ndim != 2 or len(features) < 2:
        raise InputError(f"a distance of distributions needs at least two samples [n, d], got {list(features.shape)}")
    if not torch.isfinite(features).all():
        raise InputError("the features hold NaN or infinity")
    return features.detach().double().cpu()


def _not_negative(distance: float) -> float:
    return 0.0 if -1e-3 < distance < 0 else distance
