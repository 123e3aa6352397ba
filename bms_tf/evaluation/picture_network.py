"""A network of pictures behind what makes its inputs: 8 bits, its size, its channels, its range."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from bms_tf.core.examples import as_bytes
from bms_tf.evaluation.resizing import resized

Resizer = Literal["tf1_bilinear", "clean_fid"]
Range = Literal["[-1, 1]", "[0, 1]", "[0, 255]", "imagenet"]
IMAGENET_MEAN, IMAGENET_STD = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)
RANGES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {  # of pixels in 0..255
    "[-1, 1]": lambda pixels: pixels / 127.5 - 1,
    "[0, 1]": lambda pixels: pixels / 255,
    "[0, 255]": lambda pixels: pixels,
    "imagenet": lambda pixels: (pixels / 255 - IMAGENET_MEAN) / IMAGENET_STD,
}
ROWS = 25  # pictures at a time: Inception's first layers take 30 MB for each


class PictureNetwork:
    """A network behind what turns pictures into its inputs."""

    def __init__(
        self,
        function: Callable[[tf.Tensor], Mapping[str, tf.Tensor]],
        protocol: Mapping[str, Any],
        *,
        side: int | None,
        channels: int,
        resizer: str,
        scale: str,
    ):
        """`function`: of inputs [B, side, side, channels], gives `features` and perhaps `logits`; `side` None: any."""
        self.function, self.side, self.channels, self.resizer, self.scale = function, side, channels, resizer, scale
        self.protocol = {**protocol, "resizer": resizer, "scale": scale}

    def inputs(self, x: np.ndarray) -> np.ndarray:
        """What the network is given for pictures [B, H, W, C] in [-1, 1], which are rounded to 8 bits."""
        if x.ndim != 4 or x.shape[-1] not in (1, self.channels):
            raise ValueError(
                f"examples of shape {x.shape[1:]}; the network takes pictures of 1 or {self.channels} channels"
            )
        pixels = as_bytes(x).astype(np.float32)
        pixels = pixels if self.side is None else resized(pixels, self.side, self.resizer)
        return RANGES[self.scale](np.broadcast_to(pixels, (*pixels.shape[:3], self.channels))).astype(np.float32)

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        parts = [self.function(tf.constant(self.inputs(x[i : i + ROWS]))) for i in range(0, len(x), ROWS)]
        joined = {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}
        return {name: rows.reshape(len(x), -1) for name, rows in joined.items()}
