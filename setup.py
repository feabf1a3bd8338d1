"""What pyproject.toml cannot say: the client is installed as `convlens`, beside the packages as they are."""

from setuptools import find_namespace_packages, setup

setup(
    packages=["convlens", *find_namespace_packages(include=["service*"])],
    package_dir={"convlens": "service/client"},
)
