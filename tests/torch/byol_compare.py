#!/usr/bin/python3
"""BYOL with the small conv net, ours beside PyTorch, on 10,000 images of CIFAR-10.

    make tools                      (builds build/tools/method_run)
    byol_compare.py [--seeds 1 2 3] [--epochs 15] [--data FOLDER]
    byol_compare.py --seeds 1 --steps 5         the losses of the first steps only

Equal: initial weights, views (streamed), SGD, rate, momentum, decay, batch, number of epochs, the momentum of the target network,
and the probe. compare.py says what is printed."""
import compare
args = compare.options('cifar10', 15)
import torch, torch.nn.functional as F


class BYOL(compare.Method):
    teacher, decay = 'target_', 1e-4

    def optimizer(s, groups):
        return torch.optim.SGD(groups, lr=0.1, momentum=0.9)

    def project(s, target, x):
        return compare.mlp(s.t, target + 'head.', compare.convnet(s.t, target + 'encoder.', x))

    def step(s, batch):
        views = batch['view0'], batch['view1']
        z = [s.project('', x) for x in views]
        with torch.no_grad(): t = [s.project('target_', x) for x in views]
        p = [F.normalize(compare.mlp(s.t, 'predictor.', x), dim=1) for x in z]
        loss = s.update(sum(((p[i] - F.normalize(t[1 - i], dim=1)) ** 2).sum(1).mean() for i in (0, 1)))
        s.average(compare.half_cosine(0.95, 1, s.done))
        return loss


compare.main('byol', BYOL, args)
