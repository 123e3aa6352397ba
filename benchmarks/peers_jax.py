"""BMS-VAE-GAN in JAX, for peers.py: peers_jax.py NETWORKS T winners SECONDS prints one JSON line.

The loop over the steps is a part of the compiled program.
"""

import json
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import optax

softplus, relu, still = jax.nn.softplus, jax.nn.relu, jax.lax.stop_gradient


def leaky(x):
    return jnp.where(x > 0, x, 0.2 * x)


def dense(key, i, o):
    return jax.random.normal(key, (i, o)) * (2 / (i + o)) ** 0.5, jnp.zeros(o)


def mlp(key, i, o):
    keys = jax.random.split(key, 3)
    return [dense(keys[0], i, 128), dense(keys[1], 128, 128), dense(keys[2], 128, o)]


def run_mlp(weights, x):
    for w, b in weights[:-1]:
        x = relu(x @ w + b)
    return x @ weights[-1][0] + weights[-1][1]


def kernels(key, channels, last, inner):
    """4 x 4 kernels along `channels`, and a dense layer between the smallest map and `inner` numbers."""
    keys = jax.random.split(key, len(channels))
    shapes = zip(channels, channels[1:])
    maps = [(0.02 * jax.random.normal(k, (4, 4, i, o)), jnp.zeros(o)) for k, (i, o) in zip(keys[1:], shapes)]
    return maps, dense(keys[0], *((16 * channels[-1], inner) if last else (inner, 16 * channels[0])))


def convolve(x, w, b, transposed=False):
    one = jax.lax.conv_transpose if transposed else jax.lax.conv_general_dilated
    return one(x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + b


def run_down(weights, x, activation):
    maps, (w, b) = weights
    for kernel, bias in maps:
        x = activation(convolve(x, kernel, bias))
    return x.reshape(len(x), -1) @ w + b


def run_up(weights, z):
    maps, (w, b) = weights
    lead = z.shape[:-1]
    x = relu(z.reshape(-1, z.shape[-1]) @ w + b).reshape(-1, 4, 4, 512)
    for kernel, bias in maps[:-1]:
        x = relu(convolve(x, kernel, bias, transposed=True))
    return jnp.tanh(convolve(x, *maps[-1], transposed=True)).reshape(*lead, 64, 64, 3)


def flat(run):
    """`run`, which takes [N, ...], for [K, N, ...] as well."""
    return lambda w, x: run(w, x.reshape(-1, *x.shape[-3:])).reshape(*x.shape[:-3], -1)


def main(networks: str, many: str, variant: str, seconds: str):
    """Trains and prints the rate of the best window."""
    T, keys = int(many), jax.random.split(jax.random.key(0), 5)
    if networks == "mlp":
        shape, Z, B, length = (2,), 32, 256, 200
        P = {"enc": mlp(keys[0], 2, 2 * Z), "gen": mlp(keys[1], Z, 2), "D": mlp(keys[2], 2, 1)}
        encode = generate = judge = run_mlp
    else:
        shape, Z, B, length = (64, 64, 3), 100, 64, 1
        P = {
            "enc": kernels(keys[0], (3, 64, 128, 256, 512), True, 2 * Z),
            "gen": kernels(keys[1], (512, 256, 128, 64, 3), False, Z),
            "D": kernels(keys[2], (3, 64, 128, 256, 512), True, 1),
        }
        generate = run_up
        encode, judge = (flat(partial(run_down, activation=a)) for a in (relu, leaky))
    P["L"] = mlp(keys[3], Z, 1)
    x = jax.random.uniform(keys[4], (B, *shape), minval=-1.0)
    players = {"ae": ("enc", "gen"), "D": ("D",), "L": ("L",)}
    adam = optax.adam(1e-4, b1=0.5, b2=0.9)
    state = {player: adam.init({n: P[n] for n in names}) for player, names in players.items()}
    distance = (lambda a: jnp.abs(a - x).sum(-1)) if networks == "mlp" else lambda a: jnp.abs(a - x).mean((-3, -2, -1))

    def posterior(q):
        mean, log_variance = jnp.split(encode(q["enc"], x), 2, -1)
        return mean, jnp.exp(0.5 * log_variance)

    def autoencoder(q, P, e, z):
        mean, std = posterior(q)
        if T == 1:
            best = least = generate(q["gen"], mean + std * e[0])
        else:
            candidates = generate(still(q["gen"]), still(mean + std * e))
            chosen = distance(candidates).argmin(0), judge(P["D"], candidates)[..., 0].argmin(0)
            best, least = generate(q["gen"], jnp.stack([mean + std * e[j, jnp.arange(B)] for j in chosen]))
        prior = run_mlp(P["L"], mean + std * e[0]).mean()
        fooled = judge(P["D"], least).mean() + judge(P["D"], generate(q["gen"], z)).mean()
        return distance(best).mean() - prior - fooled

    def discriminator(q, fakes):
        loss = 2 * relu(1 - judge(q["D"], x)).mean()
        return loss + sum(relu(1 + judge(q["D"], fake)).mean() for fake in fakes)

    def code_discriminator(q, z, codes):
        return softplus(-run_mlp(q["L"], z)).mean() + softplus(run_mlp(q["L"], codes)).mean()

    def step(carry, i):
        P, state = carry
        k_e, k_z = jax.random.split(jax.random.fold_in(jax.random.key(1), i))
        e, z = jax.random.normal(k_e, (T, B, Z)), jax.random.normal(k_z, (B, Z))

        def update(player, P, state, loss, *args):
            own = {n: P[n] for n in players[player]}
            updates, new = adam.update(jax.grad(loss)(own, *args), state[player])
            return {**P, **optax.apply_updates(own, updates)}, {**state, player: new}

        P, state = update("ae", P, state, autoencoder, P, e, z)
        mean, std = posterior(P)
        codes = mean + std * e[0]
        P, state = update("D", P, state, discriminator, [generate(P["gen"], c) for c in (codes, z)])
        return update("L", P, state, code_discriminator, z, codes), None

    run = jax.jit(lambda carry, n: jax.lax.scan(step, carry, n * length + jnp.arange(length))[0], donate_argnums=0)
    weights = sum(w.size for w in jax.tree.leaves(P))
    carry, n, best = jax.block_until_ready(run((P, state), 0)), 1, 0.0
    end = time.perf_counter() + float(seconds)
    while best == 0.0 or time.perf_counter() < end:  # windows, of which a slow step fills the time alone
        begun, first = time.perf_counter(), n
        while n == first or time.perf_counter() - begun < float(seconds) / 5:
            carry, n = jax.block_until_ready(run(carry, n)), n + 1
        best = max(best, (n - first) * length / (time.perf_counter() - begun))
    print(json.dumps({"rate": best, "weights": weights}))


if __name__ == "__main__":
    main(*sys.argv[1:])
