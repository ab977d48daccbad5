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


class MoCo:
    def __init__(s, tensors):
        s.t = {k: v if v.dim() < 4 else v.contiguous(memory_format=torch.channels_last) for k, v in tensors.items()}
        fixed = ('running_', 'num_batches', 'queue')
        named = [v.requires_grad_() for k, v in s.t.items() if not k.startswith('key_') and not any(f in k for f in fixed)]
        s.keys = [k for k, v in s.t.items() if k.startswith('key_') and not any(f in k for f in fixed)]
        s.place, s.o = 0, compare.trained(named, 0.1, 1e-4, lambda g, lr: torch.optim.SGD(g, lr=lr, momentum=0.9))

    def norm(s, name, x):
        """batch norm in groups of neighbouring images; running statistics are the mean over the groups"""
        n, c, h, w = x.shape
        mean, var = s.t[name + '.running_mean'], s.t[name + '.running_var']
        means, vars = mean.repeat(GROUPS), var.repeat(GROUPS)
        y = x.view(GROUPS, n // GROUPS, c, h, w).transpose(0, 1).reshape(n // GROUPS, GROUPS * c, h, w)
        y = F.batch_norm(y, means, vars, s.t[name + '.weight'].repeat(GROUPS), s.t[name + '.bias'].repeat(GROUPS), True, 0.1, 1e-5)
        mean.copy_(means.view(GROUPS, c).mean(0)); var.copy_(vars.view(GROUPS, c).mean(0))
        return y.view(n // GROUPS, GROUPS, c, h, w).transpose(0, 1).reshape(n, c, h, w)

    def forward(s, key, x):
        for i in range(1, 5):
            x = F.conv2d(x, s.t[key + 'encoder.conv%d.weight' % i], None, 2, 1)
            x = F.relu(s.norm(key + 'encoder.bn%d' % i, x))
        x = x.mean((2, 3))
        for i in (1, 2):
            x = F.linear(x, s.t[key + 'head.fc%d.weight' % i], s.t[key + 'head.fc%d.bias' % i])
            if i == 1: x = F.relu(x)
        return x

    def step(s, batch, lr):
        view = [batch['view%d' % i].permute(0, 3, 1, 2) for i in (0, 1)]
        order, queue = batch['order'].long(), s.t['queue']
        with torch.no_grad():
            shuffled = s.forward('key_', view[1][order].contiguous(memory_format=torch.channels_last))
            k = torch.empty_like(shuffled)
            k[order] = shuffled
            k = F.normalize(k, dim=1)
        q = F.normalize(s.forward('', view[0]), dim=1)
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.t()], 1) / TEMPERATURE
        loss = F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long))
        for g in s.o.param_groups: g['lr'] = lr
        s.o.zero_grad()
        loss.backward()
        queue[s.place:s.place + len(k)] = k
        s.place = (s.place + len(k)) % len(queue)
        s.o.step()
        with torch.no_grad():
            for name in s.keys: s.t[name].mul_(MOMENTUM).add_(s.t[name[4:]], alpha=1 - MOMENTUM)
        return loss.item()

    def state(s):
        return {k: v for k, v in s.t.items() if k.startswith('encoder.') and 'num_batches' not in k}


compare.main('moco', MoCo, args)
