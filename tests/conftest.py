"""What several rooms' tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cifar_archive() -> Path:
    """The CIFAR-10 JPEG archive, outside the project; tests that need it skip without it."""
    path = Path(os.environ.get("EQUIPOISE_TEST_DATA", "../shared/data")) / "cifar10-images.tar.gz"
    if not path.is_file():
        pytest.skip(f"{path} is missing (EQUIPOISE_TEST_DATA names its folder)")
    return path
