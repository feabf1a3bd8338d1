"""`convlens key`."""

import argparse

from service.api.keys import digest, new_key
from service.settings import Settings


def make(_: Settings, options: argparse.Namespace) -> None:
    """Print a new key, and its line for the file of keys."""
    key = new_key()
    print(
        f"the key, shown this once: {key}\n"
        f"the line for the file of CONVLENS_API_KEYS_FILE:\n{options.name} {digest(key)}{' admin' * options.admin}"
    )
