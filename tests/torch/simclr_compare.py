#!/usr/bin/python3
"""SimCLR with the small conv net, ours beside PyTorch.

    make tools                  (builds build/tools/export_views and build/tools/simclr_run)
    simclr_compare.py [--tools build/tools] [--data FOLDER] [--seeds 1 2 3] [--epochs 20] [--rows ours views torchvision]

Three rows, all with the same initial weights, optimiser (SGD, momentum 0.9, decay 1e-4 on matrices), schedule, batch and
number of epochs on the 10,000 images of data_batch_1.bin, judged by one and the same probe (tools/simclr_run probe) on
features of data_batch_1.bin and test_5000.bin:
    ours         trained by ssl.h
    views        trained by PyTorch on the views that ssl.h draws, streamed through a pipe
    torchvision  trained by PyTorch on views of torchvision's own transforms (PIL), in its own order"""
import argparse, json, os, subprocess, sys, tempfile, time
ap = argparse.ArgumentParser()
root = os.environ.get('SSLH_DATA') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../shared/data')
ap.add_argument('--data', default=os.path.join(root, 'cifar10'))
ap.add_argument('--train', default='data_batch_1.bin')
ap.add_argument('--tools', default=os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../build/tools'))
ap.add_argument('--out', default='')
ap.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3])
ap.add_argument('--epochs', type=int, default=20)
ap.add_argument('--batch', type=int, default=256)
ap.add_argument('--lr', type=float, default=0.1)
ap.add_argument('--temperature', type=float, default=0.5)
ap.add_argument('--threads', type=int, default=2)
ap.add_argument('--rows', nargs='+', default=['ours', 'views', 'torchvision'])
args = ap.parse_args()
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
torch.set_num_threads(args.threads)
out = args.out or tempfile.mkdtemp(prefix='simclr_compare_')
train_path, test_path = os.path.join(args.data, args.train), os.path.join(args.data, 'test_5000.bin')

def cifar(path):
    raw = np.fromfile(path, np.uint8).reshape(-1, 3073)
    return raw[:, 1:].reshape(-1, 3, 32, 32), raw[:, 0].astype(np.float32)

def safetensors(path):
    raw = open(path, 'rb').read(); n = int.from_bytes(raw[:8], 'little'); head = json.loads(raw[8:8 + n]); t = {}
    for name, h in head.items():
        if name != '__metadata__' and h['dtype'] == 'F32':
            a, b = h['data_offsets']
            t[name] = torch.from_numpy(np.frombuffer(raw[8 + n + a:8 + n + b], np.float32).reshape(h['shape']).copy())
    return t

class SmallConv(nn.Module):
    """4 x [3x3 conv stride 2, BN, ReLU], 32-64-128-256, global average pool; output 256"""
    def __init__(s):
        super().__init__(); layers = []; ci = 3
        for co in (32, 64, 128, 256):
            layers += [nn.Conv2d(ci, co, 3, 2, 1, bias=False), nn.BatchNorm2d(co), nn.ReLU(inplace=True)]; ci = co
        s.f = nn.Sequential(*layers)
    def forward(s, x): return s.f(x).mean((2, 3))

def head():
    """as sslh_simclr's: 3 layers, batch norm after each, the last without shift"""
    last = nn.BatchNorm1d(128); last.bias.requires_grad_(False)
    return nn.Sequential(nn.Linear(256, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU(inplace=True),
                         nn.Linear(256, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU(inplace=True),
                         nn.Linear(256, 128, bias=False), last)

def start_from(model, path):
    """ours and theirs declare the matrices in the same order; vectors start at 0 or 1 in both"""
    ours = [v for v in safetensors(path).items() if v[1].dim() > 1]
    theirs = [p for p in model.parameters() if p.dim() > 1]
    assert [tuple(v.shape) for _, v in ours] == [tuple(p.shape) for p in theirs], [(k, tuple(v.shape)) for k, v in ours]
    with torch.no_grad():
        for (_, v), p in zip(ours, theirs): p.copy_(v)

def nt_xent(z, t):
    z = F.normalize(z, dim=1); n = z.shape[0]
    s = (z @ z.t() / t).masked_fill(torch.eye(n, dtype=torch.bool), float('-inf'))
    return F.cross_entropy(s, torch.arange(n).roll(n // 2))

def from_pipe(seed):
    p = subprocess.Popen([os.path.join(args.tools, 'export_views'), train_path, str(seed), str(args.epochs), str(args.batch),
                          'simclr', '1'], stdout=subprocess.PIPE, bufsize=1 << 22)
    def take(count, dtype):
        raw = p.stdout.read(count * 4)
        if len(raw) != count * 4: sys.exit('export_views ended early')
        return np.frombuffer(raw, dtype)
    batches, n, h, w, c, views = take(6, np.int32)
    for _ in range(batches):
        take(2 * n, np.int32)
        yield torch.from_numpy(take(2 * n * h * w * c, np.float32).reshape(2 * n, h, w, c).copy()).permute(0, 3, 1, 2)
    p.wait()

class Views(torch.utils.data.Dataset):
    def __init__(s):
        import torchvision.transforms as T
        from torchvision.transforms import InterpolationMode as I
        s.x = cifar(train_path)[0].transpose(0, 2, 3, 1).copy()
        s.t = T.Compose([T.ToPILImage(), T.RandomResizedCrop(32, scale=(0.08, 1), interpolation=I.BICUBIC), T.RandomHorizontalFlip(),
                         T.RandomApply([T.ColorJitter(.4, .4, .4, .1)], .8), T.RandomGrayscale(.2), T.ToTensor()])
    def __len__(s): return len(s.x)
    def __getitem__(s, i): return s.t(s.x[i]), s.t(s.x[i])

def from_torchvision(seed):
    data = torch.utils.data.DataLoader(Views(), args.batch, shuffle=True, drop_last=True, num_workers=args.threads)
    for _ in range(args.epochs):
        for a, b in data: yield torch.cat([a, b])

def run_torch(row, seed, folder):
    torch.manual_seed(seed)
    encoder, h = SmallConv(), head(); model = nn.Sequential(encoder, h)
    start_from(model, os.path.join(out, 'ours_%d' % seed, 'init.safetensors'))
    model = model.to(memory_format=torch.channels_last)
    params = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.SGD([{'params': [p for p in params if p.dim() > 1], 'weight_decay': 1e-4},
                           {'params': [p for p in params if p.dim() < 2], 'weight_decay': 0}], lr=args.lr, momentum=0.9)
    steps_epoch = len(cifar(train_path)[1]) // args.batch; steps = steps_epoch * args.epochs; warm = steps_epoch; losses = []
    for i, x in enumerate((from_pipe if row == 'views' else from_torchvision)(seed)):
        lr = args.lr * (i + 1) / warm if i < warm else args.lr * 0.5 * (1 + np.cos(np.pi * (i - warm) / (steps - warm)))
        for g in opt.param_groups: g['lr'] = lr
        opt.zero_grad()
        loss = nt_xent(model(x.contiguous(memory_format=torch.channels_last)), args.temperature)
        loss.backward(); opt.step(); losses.append(loss.item())
        if (i + 1) % steps_epoch == 0:
            print('  %s seed %d epoch %d loss %.4f' % (row, seed, i // steps_epoch, np.mean(losses[-steps_epoch:])), flush=True)
    model.eval()
    with torch.no_grad():
        for name, path in (('train', train_path), ('test', test_path)):
            x, y = cifar(path); x = torch.from_numpy(x.astype(np.float32) / 255)
            f = torch.cat([encoder(x[i:i + 500].contiguous(memory_format=torch.channels_last)) for i in range(0, len(x), 500)])
            np.save(os.path.join(folder, name + '.npy'), f.numpy()); np.save(os.path.join(folder, name + '_labels.npy'), y)

def run_ours(seed, folder):
    text = subprocess.run([os.path.join(args.tools, 'simclr_run'), 'train', train_path, test_path, str(seed), str(args.epochs),
                           str(args.batch), str(args.lr), str(args.temperature), folder, str(args.threads)], check=True, stdout=subprocess.PIPE).stdout.decode()
    for line in text.splitlines(): print('  ours seed %d %s' % (seed, line), flush=True)

table = {}
for seed in args.seeds:
    for row in ['ours'] + [r for r in args.rows if r != 'ours']:
        folder = os.path.join(out, '%s_%d' % (row, seed)); os.makedirs(folder, exist_ok=True); start = time.time()
        if row == 'ours': run_ours(seed, folder)
        else: run_torch(row, seed, folder)
        seconds = time.time() - start
        text = subprocess.run([os.path.join(args.tools, 'simclr_run'), 'probe', folder], check=True, stdout=subprocess.PIPE).stdout.decode().split()
        table.setdefault(row, []).append((float(text[1]), float(text[3])))
        print('compare %s seed %d linear %s knn %s seconds %.1f' % (row, seed, text[1], text[3], seconds), flush=True)

ok = True
for row, v in table.items():
    v = np.array(v); n = len(v); se = v.std(0, ddof=1) / np.sqrt(n) if n > 1 else np.zeros(2)
    line = 'compare %s mean linear %.2f (se %.2f) knn %.2f (se %.2f)' % (row, v.mean(0)[0], se[0], v.mean(0)[1], se[1])
    if row != 'ours':
        o = np.array(table['ours']); d = o.mean(0) - v.mean(0)
        two = 2 * np.sqrt(se ** 2 + (o.std(0, ddof=1) ** 2 / n if n > 1 else 0))
        good = (np.abs(d) <= np.maximum(1.0, two)).all(); ok = ok and good
        line += ' ours minus this %+.2f %+.2f (two se %.2f %.2f) %s' % (d[0], d[1], two[0], two[1], 'agree' if good else 'DIFFER')
    print(line)
sys.exit(0 if ok else 1)
