"""BMS-VAE-GAN in eager PyTorch, for peers.py: peers_torch.py NETWORKS T winners|naive SECONDS prints one JSON line."""

import json
import sys
import time

import torch
from torch import nn
from torch.nn.functional import relu, softplus


def mlp(i, o):
    return nn.Sequential(nn.Linear(i, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, o))


def down(o, activation):
    layers = []
    for i, c in zip((3, 64, 128, 256), (64, 128, 256, 512)):
        layers += [nn.Conv2d(i, c, 4, 2, 1), activation()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * 512, o))


def up(z):
    layers = [nn.Linear(z, 16 * 512), nn.ReLU(), nn.Unflatten(-1, (512, 4, 4))]
    for i, c in zip((512, 256, 128), (256, 128, 64)):
        layers += [nn.ConvTranspose2d(i, c, 4, 2, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1), nn.Tanh())


def main(networks: str, many: str, variant: str, seconds: str):
    """Trains and prints the rate of the best window."""
    T = int(many)
    if networks == "mlp":
        shape, Z, B = (2,), 32, 256
        encoder, generator, D = mlp(2, 2 * Z), mlp(Z, 2), mlp(2, 1)
    else:
        shape, Z, B = (3, 64, 64), 100, 64
        encoder, generator, D = down(2 * Z, nn.ReLU), up(Z), down(1, lambda: nn.LeakyReLU(0.2))
    L = mlp(Z, 1)
    x = torch.rand(B, *shape) * 2 - 1
    players = {"ae": [*encoder.parameters(), *generator.parameters()], "D": [*D.parameters()], "L": [*L.parameters()]}
    adam = {name: torch.optim.Adam(weights, 1e-4, betas=(0.5, 0.9)) for name, weights in players.items()}

    def over_many(network, v):
        """The network of [T, B, ...]."""
        return network(v.flatten(0, 1)).unflatten(0, v.shape[:2])

    def distance(v):
        return (v - x).abs().sum(-1) if networks == "mlp" else (v - x).abs().mean((-3, -2, -1))

    def posterior():
        mean, log_variance = encoder(x).chunk(2, -1)
        return mean, (0.5 * log_variance).exp()

    def update(player, loss):
        for optimizer in adam.values():
            optimizer.zero_grad()
        loss.backward()
        adam[player].step()

    def step():
        e, z, rows = torch.randn(T, B, Z), torch.randn(B, Z), torch.arange(B)
        mean, std = posterior()
        codes = mean + std * e
        if variant == "naive" or T == 1:
            candidates = over_many(generator, codes)
            far, logit = distance(candidates).amin(0), over_many(D, candidates)[..., 0].amin(0)
        else:
            with torch.no_grad():
                candidates = over_many(generator, codes)
                chosen = distance(candidates).argmin(0), over_many(D, candidates)[..., 0].argmin(0)
            best, least = over_many(generator, torch.stack([codes[j, rows] for j in chosen]))
            far, logit = distance(best), D(least)
        update("ae", far.mean() - L(codes[0]).mean() - logit.mean() - D(generator(z)).mean())
        with torch.no_grad():
            mean, std = posterior()
            code = mean + std * e[0]
            fakes = generator(code), generator(z)
        update("D", 2 * relu(1 - D(x)).mean() + sum(relu(1 + D(fake)).mean() for fake in fakes))
        update("L", softplus(-L(z)).mean() + softplus(L(code)).mean())

    step()
    best, end = 0.0, time.perf_counter() + float(seconds)
    while best == 0.0 or time.perf_counter() < end:  # windows, of which a slow step fills the time alone
        begun, count = time.perf_counter(), 0
        while count == 0 or time.perf_counter() - begun < float(seconds) / 5:
            step()
            count += 1
        best = max(best, count / (time.perf_counter() - begun))
    print(json.dumps({"rate": best, "weights": sum(w.numel() for ws in players.values() for w in ws)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
