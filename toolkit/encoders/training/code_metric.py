"""How much an error of a code changes pictures, by a linear estimate of how pictures depend on w.

Most of a code's variance moves nothing that one sees. An encoder that must predict all numbers alike spends itself on
those, and is left with the average head. One that must predict what shows learns the head from the same pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from toolkit.encoders.training.kept import kept_tensors
from toolkit.interfaces import Generator
from toolkit.latents import map_styles, random_latents

HEADS = 1200
"""Random heads that the guess is fitted to."""
SIDE = 24
"""Side of their raw pictures, seen from the front."""
DIRECTIONS = 60
"""Directions of w that are told apart; for the generator of people they hold 95 % of what changes in pictures."""
RIDGE = 0.01
"""Of the fit, in variances of w."""
CHUNK = 8
_VERSION = 1


@dataclass(frozen=True)
class CodeMetric:
    """Measures errors of w by what changes in pictures."""

    directions: Tensor
    """[w_dim, K]: an error of w times these; the sum of squares is 1 on average for the average head."""

    def error(self, error: Tensor) -> Tensor:
        """A scalar >= 0 of errors [B, num_ws, w_dim]: what shows of their mean over styles."""
        return (error.mean(1) @ self.directions).square().sum(1).mean()


def kept_code_metric(generator: Generator) -> CodeMetric:
    """The metric of a generator: read from the user's cache, or measured (minutes) and kept there."""
    plan = {"version": _VERSION, "generator": generator.spec.fingerprint, "heads": HEADS, "side": SIDE}

    def make() -> dict[str, Tensor]:
        return {"directions": measure_code_metric(generator, HEADS, SIDE).directions.cpu()}

    return CodeMetric(kept_tensors(generator, "metric", plan, make)["directions"].to(generator.device))


@torch.no_grad()
def measure_code_metric(generator: Generator, heads: int, side: int) -> CodeMetric:
    """Fit raw pictures of random heads, from the front, linearly to their w.

    Args:
        generator: Whose.
        heads: How many random heads.
        side: Of their raw pictures.
    """
    front, ws, pictures = generator.spec.front_camera.to(generator.device), [], []
    for z in random_latents(generator, heads).to(generator.device).split(CHUNK):
        some = map_styles(generator, z[:, None])
        seen_from_front = generator.render(generator.planes(some), some, front.expand(len(z)), side)
        pictures.append(seen_from_front.raw.flatten(1).double())
        ws.append(some.mean(1).double())
    codes, seen = (whole - whole.mean(0) for whole in (torch.cat(ws), torch.cat(pictures)))
    scatter = codes.T @ codes
    eased = scatter + RIDGE * len(codes) * codes.var() * torch.eye(len(scatter), dtype=codes.dtype, device=codes.device)
    change = torch.linalg.solve(eased, codes.T @ seen)  # [w_dim, numbers of a picture]
    strengths, axes = torch.linalg.eigh(change @ change.T)
    directions = (axes * strengths.clamp_min(0).sqrt())[:, -DIRECTIONS:]
    return CodeMetric((directions / (codes @ directions).square().sum(1).mean().sqrt()).float())
