#!/usr/bin/python3
"""MoCo v2 with the small conv net, ours beside PyTorch, on 10,000 images of CIFAR-10.

    make tools                      (builds build/tools/method_run)
    moco_compare.py [--seeds 1 2 3] [--epochs 15] [--data FOLDER]
    moco_compare.py --seeds 1 --steps 5         the losses of the first steps only

Equal: initial weights, queue, views (streamed), the order in which the key encoder sees them, rate, momentum, decay, batch, number
of epochs, and the probe. compare.py says what is printed."""
import compare
args = compare.options('cifar10', 15)
import torch, torch.nn.functional as F
GROUPS, TEMPERATURE, MOMENTUM = 8, 0.2, 0.99


class MoCo(compare.Method):
    teacher, states, decay, place = 'key_', ('queue', 'queue_place'), 1e-4, 0

    def optimizer(s, groups):
        return torch.optim.SGD(groups, lr=0.1, momentum=0.9)

    @staticmethod
    def norm(t, name, x):
        """batch norm in groups of neighbouring images; running statistics are the mean over the groups"""
        n, c, h, w = x.shape
        mean, var = t[name + '.running_mean'], t[name + '.running_var']
        means, vars = mean.repeat(GROUPS), var.repeat(GROUPS)
        y = x.view(GROUPS, n // GROUPS, c, h, w).transpose(0, 1).reshape(n // GROUPS, GROUPS * c, h, w)
        y = F.batch_norm(y, means, vars, t[name + '.weight'].repeat(GROUPS), t[name + '.bias'].repeat(GROUPS), True, 0.1, 1e-5)
        mean.copy_(means.view(GROUPS, c).mean(0)); var.copy_(vars.view(GROUPS, c).mean(0))
        return y.view(n // GROUPS, GROUPS, c, h, w).transpose(0, 1).reshape(n, c, h, w)

    def project(s, key, x):
        return F.normalize(compare.mlp(s.t, key + 'head.', compare.convnet(s.t, key + 'encoder.', x, s.norm)), dim=1)

    def step(s, batch):
        order, queue = batch['order'].long(), s.t['queue']
        with torch.no_grad():
            shuffled = s.project('key_', batch['view1'][order])
            k = torch.empty_like(shuffled)
            k[order] = shuffled
        q = s.project('', batch['view0'])
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.t()], 1) / TEMPERATURE
        loss = s.update(F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long)))
        queue[s.place:s.place + len(k)] = k
        s.place = (s.place + len(k)) % len(queue)
        s.average(MOMENTUM)
        return loss


compare.main('moco', MoCo, args)
