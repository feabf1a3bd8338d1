"""Run: make soak, or make soak ARGS=--abuse."""

import argparse
import sys
from pathlib import Path

from tests.tools.soak import abuse, mixed
from tests.tools.soak.abusers import ABUSES


def main() -> int:
    """Soak as asked for; 0 if all went well."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, help="of the mixed load (600), or of each kind of abuse (60)")
    parser.add_argument("--abuse", action="store_true", help="an innocent client beside every kind of abuse")
    parser.add_argument("--only", choices=[each.name for each in ABUSES], action="append", help="kinds of abuse")
    parser.add_argument("--report", type=Path, help="Markdown file for the report of --abuse")
    options = parser.parse_args()
    if not options.abuse:
        return mixed.run(options.seconds or 600)
    chosen = [each for each in ABUSES if not options.only or each.name in options.only]
    return abuse.run(chosen, options.seconds or 60, options.report)


if __name__ == "__main__":
    sys.exit(main())
