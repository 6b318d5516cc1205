"""The conformance suite: run it on a plugin's parts, in its own tests.

```python
import pytest
from toolkit.testing import conformance

probe = conformance.GeneratorProbe(build_my_generator())

@pytest.mark.parametrize("name", conformance.generator_checks(probe.generator))
def test_my_generator(name):
    conformance.generator_checks(probe.generator)[name](probe)
```

or all at once: `conformance.check_generator(build_my_generator())`.
"""

from __future__ import annotations

from collections.abc import Callable

from toolkit.interfaces import (
    EmptySpace,
    Footprint,
    Generator,
    Marching,
    PlaneImages,
    ResumableSynthesis,
    SlotMerging,
    StyleRows,
    SuperResolving,
    Tunable,
    VisibleEntries,
)
from toolkit.testing import capability_checks, occupancy_checks
from toolkit.testing import generator_checks as required_checks
from toolkit.testing.file_checks import check_architecture, check_method_file, check_protocol
from toolkit.testing.inversion_checks import check_encoder, check_method
from toolkit.testing.part_checks import check_dataset, check_metric, check_sample, check_stitcher
from toolkit.testing.probe import GeneratorProbe
from toolkit.testing.requirements import ConformanceError
from toolkit.testing.small_part_checks import (
    check_discriminator,
    check_face_embedder,
    check_loss,
    check_matting,
    check_perceptual,
    check_pose_estimator,
)
from toolkit.testing.training_checks import check_training

__all__ = [
    "CAPABILITY_CHECKS",
    "GENERATOR_CHECKS",
    "ConformanceError",
    "GeneratorProbe",
    "capabilities",
    "check_architecture",
    "check_dataset",
    "check_discriminator",
    "check_encoder",
    "check_face_embedder",
    "check_generator",
    "check_loss",
    "check_matting",
    "check_method",
    "check_method_file",
    "check_metric",
    "check_perceptual",
    "check_pose_estimator",
    "check_protocol",
    "check_sample",
    "check_stitcher",
    "check_training",
    "generator_checks",
]

Check = Callable[[GeneratorProbe], None]

GENERATOR_CHECKS: dict[str, Check] = {
    "is_a_module_in_eval_mode": required_checks.check_is_a_module_in_eval_mode,
    "spec_is_complete": required_checks.check_spec_is_complete,
    "mapping": required_checks.check_mapping,
    "truncation": required_checks.check_truncation,
    "planes": required_checks.check_planes,
    "render_shapes_and_ranges": required_checks.check_render_shapes_and_ranges,
    "render_repeats_itself": required_checks.check_render_repeats_itself,
    "render_treats_heads_alone": required_checks.check_render_treats_heads_alone,
    "camera_forms": required_checks.check_camera_forms,
    "conditioning_camera": required_checks.check_conditioning_camera,
    "arguments_are_not_changed": required_checks.check_arguments_are_not_changed,
    "background": required_checks.check_background,
    "view_depends_on_camera_and_head": required_checks.check_view_depends_on_camera_and_head,
    "gradients": required_checks.check_gradients,
    "query": required_checks.check_query,
    "copies": required_checks.check_copies,
    "pickles": required_checks.check_pickles,
}
"""What every generator must pass."""

CAPABILITY_CHECKS: dict[type, dict[str, Check]] = {
    Marching: {"marching": capability_checks.check_marching},
    EmptySpace: {"empty_space": capability_checks.check_empty_space},
    Footprint: {
        "footprint_is_linear": occupancy_checks.check_footprint_is_linear,
        "footprint_is_where_query_reads": occupancy_checks.check_footprint_is_where_query_reads,
        "occupancy_operations": occupancy_checks.check_occupancy_operations,
    },
    VisibleEntries: {"visible_entries": occupancy_checks.check_visible_entries},
    SlotMerging: {"slot_merging": occupancy_checks.check_slot_merging},
    PlaneImages: {"plane_images": capability_checks.check_plane_images},
    ResumableSynthesis: {"resumable_synthesis": capability_checks.check_resumable_synthesis},
    StyleRows: {"style_rows": capability_checks.check_style_rows},
    SuperResolving: {"super_resolving": capability_checks.check_super_resolving},
    Tunable: {"tunable": capability_checks.check_tunable},
}
"""What a generator must pass besides, by the capability that it offers."""


def capabilities(generator: Generator) -> list[str]:
    """Names of the optional capabilities that a generator offers."""
    return [protocol.__name__ for protocol in CAPABILITY_CHECKS if isinstance(generator, protocol)]


def generator_checks(generator: Generator) -> dict[str, Check]:
    """All checks that apply to a generator, by name."""
    checks = dict(GENERATOR_CHECKS)
    for protocol, extra in CAPABILITY_CHECKS.items():
        if isinstance(generator, protocol):
            checks.update(extra)
    return checks


def check_generator(generator: Generator) -> None:
    """Run every check that applies.

    Raises:
        ConformanceError: At least one failed; the message lists all that did.
    """
    probe, failures = GeneratorProbe(generator), []
    for name, check in generator_checks(generator).items():
        try:
            check(probe)
        except AssertionError as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise ConformanceError("\n".join(failures))
