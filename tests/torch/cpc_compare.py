#!/usr/bin/python3
"""Contrastive predictive coding of speech, ours beside PyTorch, on the Free Spoken Digit Dataset (four speakers are learnt from).

    make tools                      (builds build/tools/method_run)
    cpc_compare.py [--seeds 1 2 3] [--epochs 4] [--data FOLDER]
    cpc_compare.py --seeds 1 --steps 5          the losses of the first steps only

Equal: initial weights, windows and their crops, negatives (their numbers are streamed), Adam, rate, batch, number of epochs, and the
probe: digits of held-out clips, of unheard speakers, and who speaks. compare.py says what is printed."""
import os
import compare
args = compare.options('fsdd/recordings', 4)
import torch, torch.nn as nn, torch.nn.functional as F
STRIDES, KERNELS, K = (5, 4, 2, 2), (10, 8, 4, 4), 6


class CPC:
    def __init__(s, tensors):
        s.t = tensors
        h, d = s.t['encoder.context.weight_hh_l0'].shape[1], s.t['encoder.context.weight_ih_l0'].shape[1]
        s.gru = nn.GRU(d, h, batch_first=True)
        with torch.no_grad():
            for name, p in s.gru.named_parameters(): p.copy_(s.t['encoder.context.' + name])
        for name, p in s.gru.named_parameters(): s.t['encoder.context.' + name] = p
        s.o = compare.trained([v.requires_grad_() for v in s.t.values()], 1e-3, 0.0, lambda g, lr: torch.optim.Adam(g, lr=lr))

    def step(s, batch, lr):
        x, e = batch['sound'].transpose(1, 2), 'encoder.local.'
        for i, (kernel, stride) in enumerate(zip(KERNELS, STRIDES), 1):
            x = F.conv1d(x, s.t[e + 'conv%d.weight' % i], s.t[e + 'conv%d.bias' % i], stride, (kernel - stride + 1) // 2)
            x = F.layer_norm(x.transpose(1, 2), x.shape[1:2], s.t[e + 'norm%d.weight' % i], s.t[e + 'norm%d.bias' % i], 1e-5)
            x = F.relu(x).transpose(1, 2)
        z = x.transpose(1, 2)                                                   # (N,T,D)
        n, t, d = z.shape
        ahead = F.linear(s.gru(z)[0], s.t['predictor.fc1.weight']).view(n, t, K, d)
        place = (batch['draws'].long()[0] * (n * t)) >> 31                      # (J)
        negatives, loss = z.reshape(n * t, d)[place], 0                         # (J,D)
        own = torch.arange(n)[:, None] * t + torch.arange(t)[None]              # (N,T): number of each place
        for k in range(1, K + 1):
            q, p = ahead[:, :t - k, k - 1], z[:, k:]                            # (N,M,D)
            wrong = (q.reshape(-1, d) @ negatives.t()).view(n, t - k, -1)       # (N,M,J)
            wrong = wrong.masked_fill(own[:, k:, None] == place, -1e30)
            logits = torch.cat([(q * p).sum(2, keepdim=True), wrong], 2).view(n * (t - k), -1)
            loss = loss + F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long)) / K
        for g in s.o.param_groups: g['lr'] = lr
        s.o.zero_grad()
        loss.backward()
        s.o.step()
        return loss.item()

    def state(s):
        return {k: v for k, v in s.t.items() if k.startswith('encoder.')}


compare.main('cpc', CPC, args)
