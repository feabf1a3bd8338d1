"""Soaks: a mixed load with faults, and an innocent client beside every kind of abuse."""
