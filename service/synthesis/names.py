"""Names that can be known without loading what they stand for."""

from typing import Literal

PresetName = Literal["cs231n", "lucid", "maco"]
