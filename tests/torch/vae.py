#!/usr/bin/env python3
"""The VAE of pytorch/examples in PyTorch, beside examples/images/vae.c: 784-400-20-400-784, Bernoulli likelihood summed over
pixels, Adam 1e-3, batch 128, 10 epochs, MNIST grey values as targets.

    vae.py [--data FOLDER] [--seeds 1 2 3] [--epochs 10] [--hidden 400] [--latent 20] [--threads 2]
    vae.py --iwae 4 [--codes 50] [--bound 5000 --bound-images 1000]

FOLDER holds the four IDX files (plain or .gz) of MNIST. Prints per seed the test loss per image in nats: with one sample
of the code per image, as pytorch/examples does, and its two parts; then -log p of so many test images by the bound of so
many codes each, with its standard error.

--iwae S: the protocol of Burda, Grosse, Salakhutdinov 2016, as `vae --iwae S` has it: two hidden layers of 200, tanh, a code of
50, pixels drawn anew in each epoch (those of the test once), batches of 20, Adam with eps 1e-4, stage i of 3^i epochs at the
rate 10^(-3 - i/7), the first S of 8 stages; --codes K: trained by the importance-weighted bound of K codes."""
import argparse, gzip, os, time
ap = argparse.ArgumentParser()
root = os.environ.get('SSLH_DATA') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../shared/data')
ap.add_argument('--data', default=os.path.join(root, 'mnist'))
ap.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3])
ap.add_argument('--epochs', type=int, default=10)
ap.add_argument('--hidden', type=int, default=400)
ap.add_argument('--latent', type=int, default=20)
ap.add_argument('--iwae', type=int, default=0)
ap.add_argument('--codes', type=int, default=1)
ap.add_argument('--bound', type=int, default=50)
ap.add_argument('--bound-images', type=int, default=1000)
ap.add_argument('--images', type=int, default=0)
ap.add_argument('--threads', type=int, default=2)
args = ap.parse_args()
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
torch.set_num_threads(args.threads)

def idx(name):
    path = os.path.join(args.data, name)
    raw = gzip.open(path + '.gz').read() if os.path.exists(path + '.gz') else open(path, 'rb').read()
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255)

class VAE(nn.Module):
    def __init__(s, hidden, latent, layers, act):
        super().__init__()
        def stack(a, b): # layers hidden ones, then what ends the half
            mods = []
            for i in range(layers): mods += [nn.Linear(hidden if i else a, hidden), act()]
            return nn.Sequential(*mods, *b)
        s.encoder, s.mu, s.logvar = stack(784, []), nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        s.decoder = stack(latent, [nn.Linear(hidden, 784)])
    def forward(s, x): # cross-entropy and KL, summed
        h = s.encoder(x); mu = s.mu(h); logvar = s.logvar(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        y = torch.sigmoid(s.decoder(z))
        return F.binary_cross_entropy(y, x, reduction='sum'), -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    def weights(s, x, k): # log w (N,k)
        h = s.encoder(x); mu = s.mu(h)[:, None]; logvar = s.logvar(h)[:, None]
        e = torch.randn(len(x), k, mu.shape[2]); z = mu + e * torch.exp(0.5 * logvar)
        y = s.decoder(z)
        log_p = -F.binary_cross_entropy_with_logits(y, x[:, None].expand_as(y), reduction='none').sum(2)
        return log_p + 0.5 * (e ** 2 + logvar - z ** 2).sum(2)
    def bound(s, x, k): # log of the mean of k weights (N)
        parts = [s.weights(x, min(1000, k - i)).logsumexp(1) for i in range(0, k, 1000)]
        return torch.stack(parts, 1).logsumexp(1) - np.log(k)

train, test = idx('train-images-idx3-ubyte'), idx('t10k-images-idx3-ubyte')
if args.images: train = train[:args.images]
stages = [(3 ** i, 10 ** (-3 - i / 7)) for i in range(args.iwae)] or [(args.epochs, 1e-3)]
size = 20 if args.iwae else 128
if args.iwae: args.hidden, args.latent = 200, 50
if args.iwae: test = torch.bernoulli(test, generator=torch.Generator().manual_seed(0))
totals = []
for seed in args.seeds:
    torch.manual_seed(seed)
    m = VAE(args.hidden, args.latent, 2 if args.iwae else 1, nn.Tanh if args.iwae else nn.ReLU)
    opt = torch.optim.Adam(m.parameters(), lr=1e-3, eps=1e-4 if args.iwae else 1e-8); start = time.time()
    for epochs, lr in stages:
        for g in opt.param_groups: g['lr'] = lr
        for _ in range(epochs):
            for i in torch.randperm(len(train)).split(size):
                x = torch.bernoulli(train[i]) if args.iwae else train[i]
                opt.zero_grad()
                (sum(m(x)) if args.codes == 1 else -m.bound(x, args.codes).sum()).div(len(x) if args.iwae else 1).backward()
                opt.step()
    seconds = time.time() - start
    with torch.no_grad():
        parts = np.array([[v.item() for v in m(test[i:i + 128])] for i in range(0, len(test), 128)]).sum(0) / len(test)
        n = max(1, 1000 // args.bound)
        some = test[:args.bound_images]
        b = torch.cat([m.bound(some[i:i + n], args.bound) for i in range(0, len(some), n)])
    totals.append(parts.sum())
    print('torch vae seed %d test %.2f reconstruction %.2f kl %.2f bound %.2f se %.2f seconds %.1f'
          % (seed, parts.sum(), parts[0], parts[1], -b.mean(), b.std() / len(b) ** 0.5, seconds), flush=True)
print('torch vae mean %.2f std %.2f' % (np.mean(totals), np.std(totals, ddof=1) if len(totals) > 1 else 0))
