from __future__ import annotations

import inspect

import pytest

from toolkit import errors

KINDS = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, Exception) and kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_a_toolkit_error_with_an_exit_code_and_a_docstring(kind: type[errors.ToolkitError]):
    assert issubclass(kind, errors.ToolkitError)
    assert kind.exit_code in (1, 2)
    assert kind.__doc__


def test_a_missing_dependency_says_what_for_and_how_to_get_it():
    error = errors.MissingDependencyError("lpips", "the LPIPS metric", "perceptual")
    assert str(error) == "the LPIPS metric needs the package 'lpips': pip install 'toolkit[perceptual]'"
