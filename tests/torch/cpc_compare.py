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


class CPC(compare.Method):
    def __init__(s, tensors):
        g = 'encoder.context.'
        s.gru = nn.GRU(tensors[g + 'weight_ih_l0'].shape[1], tensors[g + 'weight_hh_l0'].shape[1], batch_first=True)
        with torch.no_grad():
            for name, p in s.gru.named_parameters(): p.copy_(tensors[g + name])
        super().__init__({**tensors, **{g + name: p for name, p in s.gru.named_parameters()}})

    def step(s, batch):
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
        return s.update(loss)


compare.main('cpc', CPC, args)
