#!/usr/bin/env python3
"""Writes transfer.h: losses of distillation and their gradients to the student, by PyTorch in double precision.

    /usr/bin/python3 tests/golden/make_transfer.py > tests/golden/transfer.h

RKD is written as in the authors' released code (lenscv/RKD: mean over all pairs and triples, smooth L1), SEED as in its
paper with a divergence instead of a cross-entropy. The inputs are in the file too.
"""
import torch
import torch.nn.functional as F

torch.manual_seed(20210503)
N, K, D, E, Q = 6, 5, 4, 7, 8


def rounded(*shape):
    """Values that are the same in float and double."""
    return (torch.randn(*shape, dtype=torch.float64) * 64).round() / 64


def hinton(s, t, temperature):
    p = F.softmax(t / temperature, 1)
    return F.kl_div(F.log_softmax(s / temperature, 1), p, reduction='batchmean') * temperature ** 2


def pdist(e):
    square = e.pow(2).sum(1)
    d = (square[:, None] + square[None] - 2 * e @ e.t()).clamp(min=1e-12).sqrt()
    return d * (1 - torch.eye(len(e), dtype=e.dtype))


def rkd_distance(s, t):
    with torch.no_grad():
        td = pdist(t)
        td = td / td[td > 0].mean()
    d = pdist(s)
    return F.smooth_l1_loss(d / d[d > 0].mean(), td)


def rkd_angle(s, t):
    def angles(e):
        e = F.normalize(e[None] - e[:, None], p=2, dim=2)
        return torch.bmm(e, e.transpose(1, 2)).reshape(-1)
    with torch.no_grad():
        ta = angles(t)
    return F.smooth_l1_loss(angles(s), ta)


def seed(s, t, queue, student_temperature, teacher_temperature):
    s, t = F.normalize(s, dim=1), F.normalize(t, dim=1)
    own = (t * t).sum(1, keepdim=True)
    p = F.softmax(torch.cat([t @ queue.t(), own], 1) / teacher_temperature, 1)
    q = F.log_softmax(torch.cat([s @ queue.t(), (s * t).sum(1, keepdim=True)], 1) / student_temperature, 1)
    return F.kl_div(q, p, reduction='batchmean')


def show(name, values):
    text = ', '.join('%.12g' % v for v in values.reshape(-1).tolist())
    lines, line = [], ''
    for word in text.split(' '):
        if len(line) + len(word) > 108:
            lines.append(line)
            line = ''
        line += (' ' if line else '') + word
    lines.append(line)
    print('static const double %s[%d] = {\n    %s};' % (name, values.numel(), '\n    '.join(lines)))


print('/* Written by tests/golden/make_transfer.py: inputs, then for each loss its value and its gradient. */')
print('enum { GOLDEN_N = %d, GOLDEN_K = %d, GOLDEN_D = %d, GOLDEN_E = %d, GOLDEN_Q = %d };' % (N, K, D, E, Q))
student, teacher = rounded(N, K) * 2, rounded(N, K) * 2
small, large = rounded(N, D), rounded(N, E)
queue = rounded(Q, K)
for name, x in (('golden_student', student), ('golden_teacher', teacher), ('golden_small', small),
                ('golden_large', large), ('golden_queue', queue)):
    show(name, x)
for name, x, loss in (
        ('golden_hinton_1', student, lambda x: hinton(x, teacher, 1)),
        ('golden_hinton_4', student, lambda x: hinton(x, teacher, 4)),
        ('golden_distance', small, lambda x: rkd_distance(x, large)),
        ('golden_angle', small, lambda x: rkd_angle(x, large)),
        ('golden_seed', student, lambda x: seed(x, teacher, queue, 0.2, 0.05))):
    x = x.clone().requires_grad_(True)
    y = loss(x)
    y.backward()
    show(name, torch.cat([y.detach().reshape(1), x.grad.reshape(-1)]))
