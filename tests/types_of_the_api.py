"""What a type checker makes of the short names, for editors and for programs that use the library: `make lint` reads
this file, nothing runs it.
"""

# pyright: basic
from typing import Any, assert_type

import numpy as np

import bms_tf
from bms_tf.loading.model import Posterior

model = bms_tf.load("runs/ring")
assert_type(model, bms_tf.Model)
assert_type(bms_tf.train("gin/ring.gin", run_dir="runs/ring", seed=1), bms_tf.Model)
assert_type(bms_tf.export("runs/ring", "ring"), str)
x = model.sample(1000, seed=1)
assert_type(x, np.ndarray)
assert_type(model.posterior(x), Posterior)
assert_type(bms_tf.evaluate(model="savedmodels/ring", data="gin/data/ring.gin"), list[dict[str, Any]])
assert_type(model.data_shape, tuple[int, ...])
system = bms_tf.systems.GAN(
    generator=bms_tf.networks.mlp(input_shape=(32,), output_shape=(2,)),
    discriminator=bms_tf.networks.mlp(input_shape=(2,), output_shape=()),
)
assert_type(system.data_shape, tuple[int, ...])  # gin's decorator takes no type away
bms_tf.export(system, "gan")
bms_tf.pipelines.ring("train", 0, 256, seed=0)
