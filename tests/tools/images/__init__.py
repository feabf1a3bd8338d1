"""Builds the images without a Docker engine, and runs what is in them as containers would.

Run: make images-check (as root, with buildah). `python -m tests.tools.images --help` lists the options.
"""
