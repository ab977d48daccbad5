#!/usr/bin/python3
"""DINO with the small conv net, ours beside PyTorch, on 10,000 images of CIFAR-10: two large and four small views of each.

    make tools                      (builds build/tools/method_run)
    dino_compare.py [--seeds 1 2 3] [--epochs 15] [--data FOLDER]
    dino_compare.py --seeds 1 --steps 5         the losses of the first steps only

Equal: initial weights, views (streamed), AdamW, rate, decay and its rise, clipping, batch, number of epochs, the teacher's momentum,
temperatures, centre, and the probe. One thing differs: the last layer rests in the first epoch, and Adam's bias correction of it
counts from its first update here, as in the authors' code, and from the first step of the run in ssl.h. compare.py says what is
printed."""
import compare
args = compare.options('cifar10', 15)
import torch, torch.nn.functional as F
STUDENT, TEACHER, DECAY, CLIP = 0.1, 0.04, 0.04, 3.0


class DINO(compare.Method):
    teacher, states = 'target_', ('centre',)

    def optimizer(s, groups):
        return torch.optim.AdamW(groups, lr=1e-3)

    def logits(s, target, views):
        f = torch.cat([compare.convnet(s.t, target + 'encoder.', x) for x in views])
        z = F.normalize(compare.mlp(s.t, target + 'head.', f, F.gelu), dim=1)
        return z @ F.normalize(s.t[target + 'last.fc1.weight'], dim=1).t()

    def update(s, loss):
        s.o.param_groups[0]['weight_decay'] = DECAY * compare.half_cosine(1, 10, s.done)
        return super().update(loss)

    def before(s):
        """the last layer rests in the first epoch; what moves is clipped"""
        if s.epoch < 1: s.t['last.fc1.weight'].grad = None
        torch.nn.utils.clip_grad_norm_([p for g in s.o.param_groups for p in g['params']], CLIP)

    def step(s, batch):
        log_p = torch.log_softmax(s.logits('', [batch['large'], batch['small']]) / STUDENT, 1)
        with torch.no_grad():
            h = s.logits('target_', [batch['large']])
            q = torch.softmax((h - s.t['centre']) / TEACHER, 1)
        q, p = q.chunk(2), log_p.chunk(len(log_p) // (len(q) // 2))
        pairs = [(w, v) for w in (0, 1) for v in range(len(p)) if v != w]
        loss = s.update(sum(-(q[w] * p[v]).sum(1).mean() for w, v in pairs) / len(pairs))
        s.t['centre'].mul_(0.9).add_(h.mean(0), alpha=0.1)
        s.average(compare.half_cosine(0.98, 1, s.done))
        return loss


compare.main('dino', DINO, args)
