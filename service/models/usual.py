"""How networks are usually given their pictures."""

from service.models.manifest import Preprocessing

# The usual ones. The names are those of the flag --preprocessing.
PREPROCESSINGS = {
    "imagenet": Preprocessing(in_graph=False, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "unit": Preprocessing(in_graph=False),
    "symmetric": Preprocessing(in_graph=False, mean=(0.5,), std=(0.5,)),
    "bytes": Preprocessing(in_graph=False, scale=255.0),
    "caffe": Preprocessing(in_graph=False, channels="BGR", scale=255.0, mean=(103.939, 116.779, 123.68)),
}
_COLOURLESS = {
    "unit": Preprocessing(in_graph=False, channels="L"),
    "mnist": Preprocessing(in_graph=False, channels="L", mean=(0.1307,), std=(0.3081,)),
    "symmetric": Preprocessing(in_graph=False, channels="L", mean=(0.5,), std=(0.5,)),
    "bytes": Preprocessing(in_graph=False, channels="L", scale=255.0),
}
_WITH_ALPHA = {
    name: Preprocessing(in_graph=False, channels="RGBA", scale=scale, mean=mean, std=std)
    for name, scale, mean, std in (
        ("unit", 1.0, (), ()),
        ("symmetric", 1.0, (0.5,), (0.5,)),
        ("bytes", 255.0, (), ()),
    )
}


def usual(channels: str) -> dict[str, Preprocessing]:
    """The usual preprocessings for these channels, by name."""
    return {"L": _COLOURLESS, "RGBA": _WITH_ALPHA}.get(channels, PREPROCESSINGS)
