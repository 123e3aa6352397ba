"""The small networks that some metrics train, and how: seeded, without touching any global state."""

from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from bms_tf.core.keras import keras


def mlp(inputs: int, hidden: Sequence[int], *, seed: int, outputs: int = 1) -> keras.Model:
    """A multilayer perceptron [B, inputs] -> [B, outputs] with leaky ReLUs of slope 0.2, as in Rosca et al. 2018."""
    layers = [keras.Input([inputs])]
    for i, units in enumerate(hidden):
        layers.append(keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed + i)))
        layers.append(keras.layers.LeakyReLU(0.2))
    last = keras.initializers.GlorotUniform(seed + len(hidden))
    return keras.Sequential([*layers, keras.layers.Dense(outputs, kernel_initializer=last)])


def rows(data: tf.Tensor, batch: int, key: tf.Tensor) -> tf.Tensor:
    """`batch` rows of data [N, ...], drawn with replacement by a key (int64 [2])."""
    return tf.gather(data, tf.random.stateless_uniform([batch], key, maxval=tf.shape(data)[0], dtype=tf.int32))


def fold(key: tf.Tensor, number: int) -> tf.Tensor:
    """Another key (int64 [2]) for each number."""
    return tf.random.experimental.stateless_fold_in(key, number)


def minimizing(
    loss: Callable[[tf.Tensor], tf.Tensor],
    variables: Sequence[tf.Variable],
    *,
    steps: int,
    every: int,
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    seed: int,
) -> Iterator[int]:
    """Minimizes `loss(key)`, a scalar of a key (int64 [2]) that is another one in each step, by Adam.

    Yields the number of steps taken, after each `every` of them and at the end.

    Raises ValueError for counts below 1 or a learning rate that is not positive, and if the loss is not finite.
    """
    if steps < 1 or every < 1 or learning_rate <= 0:
        raise ValueError(
            f"{steps} steps, told of every {every}, at a learning rate of {learning_rate}: all must be > 0"
        )
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=beta_1, beta_2=beta_2)
    optimizer.build(variables)

    @tf.function(reduce_retracing=True)
    def advance(begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        value = tf.zeros([])
        for step in tf.range(begin, end):
            with tf.GradientTape() as tape:
                value = loss(tf.stack([tf.constant(seed, tf.int64), step]))
            # Nothing is on several devices here; TensorFlow never lets go of a graph with an all-reduce in it.
            gradients = zip(tape.gradient(value, variables), variables)
            optimizer.apply_gradients(gradients, skip_gradients_aggregation=True)
        return value

    for begin in range(0, steps, every):
        end = min(begin + every, steps)
        value = float(advance(tf.constant(begin, tf.int64), tf.constant(end, tf.int64)))
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"the loss is {value} after {end} steps; try a lower learning rate than {learning_rate}")
        yield end


def minimize(loss: Callable[[tf.Tensor], tf.Tensor], variables: Sequence[tf.Variable], *, steps: int, **settings):
    """All steps of `minimizing`."""
    for _ in minimizing(loss, variables, steps=steps, every=steps, **settings):
        pass
