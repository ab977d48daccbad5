#!/usr/bin/env python3
"""Records parameters after one and after five steps of every optimiser in the table of tests/optim.c, from torch.optim where it has
the rule and written out otherwise (LARS as in MoCo v3 / Barlow Twins, Adam without bias correction), in double precision:

    build/tests/optim --list | python3 tests/golden/make_optim.py > tests/golden/optim.h.new"""
import sys
import numpy as np
import torch

torch.set_default_dtype(torch.float64)


def seed_of(kind, index):
    h = 2166136261
    for ch in kind.encode():
        h = ((h ^ ch) * 16777619) & 0xffffffff
    return ((h ^ index) * 16777619) & 0xffffffff


def draw(seed, shape):
    n = int(np.prod(shape))
    out = np.empty(n, np.int64)
    for i in range(n):
        seed = (seed * 1664525 + 1013904223) & 0xffffffff
        out[i] = seed >> 12
    return torch.tensor(((2 * out + 1 - 1048576) / 1048576.0).reshape(shape))


SHAPES = [(7, 5), (7,), (3, 2, 2, 5), (33, 67)]
GROUPS = [0, 0, 3, 1]


class Lars(torch.optim.Optimizer):
    """g += wd p; g *= eta |p| / |g| for more than one dimension; mu = momentum mu + g; p -= lr mu"""

    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            for p in g['params']:
                d = p.grad
                if p.dim() > 1:
                    d = d + g['weight_decay'] * p
                    pn, gn = p.norm(), d.norm()
                    ratio = g['eta'] * pn / gn if pn > 0 and gn > 0 else torch.tensor(1.0)
                    if g['clip']:
                        ratio = torch.clamp(ratio / g['lr'], max=1.0)
                    d = d * ratio
                mu = self.state[p].setdefault('mu', torch.zeros_like(p))
                mu.mul_(g['momentum']).add_(d)
                p.add_(mu, alpha=-g['lr'])


class Bert(torch.optim.Optimizer):
    """Adam without bias correction"""

    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            for p in g['params']:
                s = self.state[p]
                m = s.setdefault('m', torch.zeros_like(p))
                v = s.setdefault('v', torch.zeros_like(p))
                m.mul_(g['b'][0]).add_(p.grad, alpha=1 - g['b'][0])
                v.mul_(g['b'][1]).addcmul_(p.grad, p.grad, value=1 - g['b'][1])
                p.add_(m / (v.sqrt() + g['eps']), alpha=-g['lr'])


f32 = lambda x: float(np.float32(x))
print('/* Written by tests/golden/make_optim.py with PyTorch %s in double precision: do not edit. */' % torch.__version__.split('+')[0])
print('typedef struct golden_optim_row { const char *name; int step, param; double sum, value[4]; } golden_optim_row;')
print('static const golden_optim_row golden_optim[] = {')
for line in sys.stdin:
    name, numbers, group_lr = line.strip().split('|')
    kind, momentum, nesterov, b1, b2, eps, bert, wd, eta, lclip, clip, constant, vdecay, bias_lr, peak = [float(v) for v in numbers.split(',')]
    group_lr = [float(v) or 1.0 for v in group_lr.split(',')]
    momentum = 0.0 if momentum < 0 else (momentum or f32(0.9))
    b1, b2, eps, eta = b1 or f32(0.9), b2 or f32(0.999), eps or f32(1e-8), eta or f32(0.001)
    ps = [draw(seed_of('p', i), s).requires_grad_() for i, s in enumerate(SHAPES)]
    groups = [{'params': [p], 'lr': 1.0, 'weight_decay': wd * (vdecay if p.dim() == 1 else 1.0)} for p in ps]
    if kind in (0, 1):
        opt = torch.optim.SGD(groups, lr=1.0, momentum=momentum, nesterov=bool(nesterov))
    elif kind == 2 and bert:
        opt = Bert(groups, dict(b=(b1, b2), eps=eps))
    elif kind == 2:
        opt = torch.optim.Adam(groups, betas=(b1, b2), eps=eps)
    elif kind == 3:
        opt = torch.optim.AdamW(groups, betas=(b1, b2), eps=eps)
    else:
        opt = Lars(groups, dict(momentum=momentum, eta=eta, clip=bool(lclip)))
    for step in range(5):
        lr = f32(0.05) * (step + 1)
        for i, p in enumerate(ps):
            p.grad = (draw(seed_of('a', i), SHAPES[i]) + (1.5 + draw(seed_of('b', i), SHAPES[i])) * p).detach()
            base = peak if int(constant) >> GROUPS[i] & 1 else lr
            opt.param_groups[i]['lr'] = base * group_lr[GROUPS[i]] * (bias_lr if i == 1 and bias_lr else 1.0)
        if clip:
            torch.nn.utils.clip_grad_norm_(ps, clip)
        opt.step()
        if step in (0, 4):
            for i, p in enumerate(ps):
                v = p.detach().reshape(-1)
                s = float((v * draw(seed_of('w', i), (v.numel(),))).sum())
                print('    {"%s", %d, %d, %.12g, {%s}},' % (name, step, i, s, ', '.join('%.10g' % float(v[len(v) * j // 4]) for j in range(4))))
print('};')
