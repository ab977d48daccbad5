#!/usr/bin/python3
"""Barlow Twins with the small conv net, ours beside PyTorch, on 10,000 images of CIFAR-10.

    make tools                      (builds build/tools/method_run)
    barlow_compare.py [--seeds 1 2 3] [--epochs 15] [--data FOLDER]
    barlow_compare.py --seeds 1 --steps 5       the losses of the first steps only

Equal: initial weights, views (streamed), Adam, rate, batch, number of epochs, and the probe. compare.py says what is printed."""
import compare
args = compare.options('cifar10', 15)
import torch
LAMBDA, SCALE = 0.0051, 0.024


class Barlow(compare.Method):
    def column(s, x):
        """embeddings (N,D), each column with mean 0 and variance 1"""
        z = compare.mlp(s.t, 'head.', compare.convnet(s.t, 'encoder.', x))
        return torch.nn.functional.batch_norm(z, None, None, training=True)

    def step(s, batch):
        a, b = [s.column(batch['view%d' % i]) for i in (0, 1)]
        c = a.t() @ b / len(a)
        own = torch.diagonal(c)
        return s.update(SCALE * (((1 - own) ** 2).sum() + LAMBDA * ((c ** 2).sum() - (own ** 2).sum())))


compare.main('barlow', Barlow, args)
