"""BMS-VAE-GAN in this library, for peers.py: peers_bms_tf.py NETWORKS T winners SECONDS prints one JSON line."""

import json
import sys
import time

from bms_tf.core import startup

tf = startup.import_tensorflow()

from bms_tf.core.keras import keras  # noqa: E402
from bms_tf.core.optimizers import adam  # noqa: E402
from bms_tf.networks.dcgan import dcgan_discriminator, dcgan_encoder, dcgan_generator  # noqa: E402
from bms_tf.networks.mlp import mlp  # noqa: E402
from bms_tf.networks.posteriors import GaussianEncoder  # noqa: E402
from bms_tf.systems.bms_vae_gan import BMSVAEGAN  # noqa: E402


def main(networks: str, many: str, variant: str, seconds: str):
    """Trains and prints the rate of the best window."""
    if networks == "mlp":
        generator, discriminator, encoder, shape, code, batch, steps = mlp, mlp, mlp, (2,), 32, 256, 100
    else:
        generator, discriminator, encoder = dcgan_generator, dcgan_discriminator, dcgan_encoder
        shape, code, batch, steps = (64, 64, 3), 100, 64, 1
    system = BMSVAEGAN(
        encoder=GaussianEncoder(encoder(input_shape=shape, output_shape=(2 * code,)), code_size=code, data_shape=shape),
        generator=generator(input_shape=(code,), output_shape=shape),
        discriminator=discriminator(input_shape=shape, output_shape=()),
        code_discriminator=mlp(input_shape=(code,), output_shape=()),
        T=int(many),
        lambda_=1.0,
    )
    optimizers = {player: adam(learning_rate=1e-4, beta_1=0.5, beta_2=0.9) for player in system.players}
    system.compile(optimizers, steps_per_execution=steps)
    x = tf.random.stateless_uniform([batch, *shape], [0, 0], -1.0, 1.0)
    data = tf.data.Dataset.from_tensors(x).cache().repeat()
    windows = Windows(float(seconds))
    system.fit(data, steps_per_epoch=steps, epochs=1000000, verbose=0, callbacks=[windows])
    weights = sum(int(tf.size(v)) for player in system.players for v in system.trainable(player))
    print(json.dumps({"rate": windows.best * steps, "weights": weights}))


class Windows(keras.callbacks.Callback):
    """The epochs per second of the best window, a fifth of the time, behind the first epoch, which traces."""

    def __init__(self, seconds: float):
        super().__init__()
        self.seconds, self.best = seconds, 0.0
        self.begun = self.count = self.end = None

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter()
        if self.begun is None:
            self.begun, self.count, self.end = now, 0, now + self.seconds
            return
        self.count += 1
        if now - self.begun >= self.seconds / 5:
            self.best = max(self.best, self.count / (now - self.begun))
            self.begun, self.count = now, 0
        self.model.stop_training = now >= self.end and self.best > 0.0


if __name__ == "__main__":
    main(*sys.argv[1:])
