"""What all records share: strict reading, and numbers that are finite."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

LARGEST = 1e100
"""Nothing that is measured is as large; sums and squares of numbers below it are finite."""


def _finite_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not abs(value) <= LARGEST else value


Measured = Annotated[float | None, BeforeValidator(_finite_or_none)]
"""A number; None where there is none (NaN, infinity and what is larger than LARGEST become None)."""
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Record(BaseModel):
    """Base of everything that is written down: unknown keys, NaN and infinity are refused when it is read."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        populate_by_name=True,
        ser_json_inf_nan="null",
    )

    def as_json(self) -> dict[str, Any]:
        """What strict JSON can hold; keys that were never set are left out."""
        return self.model_dump(mode="json", exclude_unset=True)
