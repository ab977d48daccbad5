#!/usr/bin/python3
"""The VAE of pytorch/examples in PyTorch, beside examples/images/vae.c: 784-400-20-400-784, Bernoulli likelihood summed over
pixels, Adam 1e-3, batch 128, 10 epochs, MNIST grey values as targets.

    vae.py [--data FOLDER] [--seeds 1 2 3] [--epochs 10] [--hidden 400] [--latent 20] [--threads 2]

FOLDER holds the four IDX files (plain or .gz) of MNIST. Prints per seed the test loss per image in nats: with one sample
of the code per image, as pytorch/examples does, and its two parts."""
import argparse, gzip, os, time
ap = argparse.ArgumentParser()
root = os.environ.get('SSLH_DATA') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../shared/data')
ap.add_argument('--data', default=os.path.join(root, 'mnist'))
ap.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3])
ap.add_argument('--epochs', type=int, default=10)
ap.add_argument('--hidden', type=int, default=400)
ap.add_argument('--latent', type=int, default=20)
ap.add_argument('--threads', type=int, default=2)
args = ap.parse_args()
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
torch.set_num_threads(args.threads)

def idx(name):
    path = os.path.join(args.data, name)
    raw = gzip.open(path + '.gz').read() if os.path.exists(path + '.gz') else open(path, 'rb').read()
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255)

class VAE(nn.Module):
    def __init__(s, hidden, latent):
        super().__init__()
        s.fc1 = nn.Linear(784, hidden); s.fc21 = nn.Linear(hidden, latent); s.fc22 = nn.Linear(hidden, latent)
        s.fc3 = nn.Linear(latent, hidden); s.fc4 = nn.Linear(hidden, 784)
    def forward(s, x):
        h = F.relu(s.fc1(x)); mu = s.fc21(h); logvar = s.fc22(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        y = torch.sigmoid(s.fc4(F.relu(s.fc3(z))))
        return F.binary_cross_entropy(y, x, reduction='sum'), -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())

train, test = idx('train-images-idx3-ubyte'), idx('t10k-images-idx3-ubyte')
totals = []
for seed in args.seeds:
    torch.manual_seed(seed)
    m = VAE(args.hidden, args.latent); opt = torch.optim.Adam(m.parameters(), lr=1e-3); start = time.time()
    for _ in range(args.epochs):
        for i in torch.randperm(len(train)).split(128):
            opt.zero_grad(); a, b = m(train[i]); (a + b).backward(); opt.step()
    with torch.no_grad():
        parts = np.array([[v.item() for v in m(test[i:i + 128])] for i in range(0, len(test), 128)]).sum(0) / len(test)
    totals.append(parts.sum())
    print('torch vae seed %d test %.2f reconstruction %.2f kl %.2f seconds %.1f'
          % (seed, parts.sum(), parts[0], parts[1], time.time() - start), flush=True)
print('torch vae mean %.2f std %.2f' % (np.mean(totals), np.std(totals, ddof=1) if len(totals) > 1 else 0))
