"""Lists the packages of the three source folders; everything else about the build stands in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(".", include=["toolkit", "toolkit.*"]),
        *find_packages("plugins", include=["toolkit_plugins", "toolkit_plugins.*"]),
        "toolkit_configs",
        *(f"toolkit_configs.{name}" for name in find_packages("configs")),
    ]
)
