"""Peers that ask for torchvision only to know its models or its transforms: a stand-in spares to install it."""

import sys
from types import ModuleType


def stand_in_for_torchvision() -> None:
    """Make torchvision importable, unless it has been imported."""
    names = {
        "torchvision": (),
        "torchvision.models": (),
        "torchvision.models.resnet": ("Bottleneck", "BasicBlock"),
        "torchvision.transforms": ("Compose", "Normalize", "ToTensor"),
        "torchvision.transforms.functional": ("resize",),
    }
    for name, members in names.items():
        module = ModuleType(name)
        module.__path__ = []
        for member in members:
            setattr(module, member, type(member, (), {}))
        sys.modules.setdefault(name, module)
