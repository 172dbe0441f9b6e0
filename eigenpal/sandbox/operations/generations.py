"""The generations of the API that a sandbox can speak, by the name that clients give to `api_generation`.

A server speaks one, as servers do: most paths are the same in all of them, and say nothing of who asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from eigenpal.sandbox.operations import GENERATION_07
from eigenpal.sandbox.operations.generation_06 import GENERATION_06
from eigenpal.sandbox.routing import Operation, Route

Generation: TypeAlias = Literal["0.7", "0.6"]

GENERATIONS: Mapping[str, Sequence[Route[Operation]]] = {"0.7": GENERATION_07, "0.6": GENERATION_06}
