"""What the scripts NAME_compare.py share: the same training by ssl.h and by PyTorch, from the same initial weights, on the views
that ssl.h draws (build/tools/method_run streams them), judged by one and the same probe.

A script gives a class that inherits from Method, with step(batch) -> loss. Printed are the losses of the first steps beside each
other, what the probes say of either encoder, and the means over the seeds: "agree" when the losses of three steps differ by less
than the tolerance and the means by at most a point or two standard errors."""
import argparse, json, math, os, struct, subprocess, sys, tempfile, time
import numpy as np, torch, torch.nn.functional as F
here = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get('SSLH_DATA') or os.path.join(here, '../../../shared/data')


def options(data, epochs):
    ap = argparse.ArgumentParser()
    ap.add_argument('--data', default=os.path.join(DATA, data))
    ap.add_argument('--tools', default=os.path.join(here, '../../build/tools'))
    ap.add_argument('--out', default='')
    ap.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3])
    ap.add_argument('--epochs', type=int, default=epochs)
    ap.add_argument('--steps', type=int, default=0, help='only so many steps of the run, whose losses are compared; no probes')
    ap.add_argument('--threads', type=int, default=2)
    ap.add_argument('--tolerance', type=float, default=1e-4, help='relative difference of the losses of the first three steps')
    return ap.parse_args()


def load(path):
    raw = open(path, 'rb').read()
    n = struct.unpack('<Q', raw[:8])[0]
    kinds, out = {'F32': np.float32, 'I32': np.int32, 'I64': np.int64}, {}
    for name, t in json.loads(raw[8:8 + n]).items():
        if name != '__metadata__' and t['dtype'] in kinds:
            a, b = t['data_offsets']
            out[name] = torch.from_numpy(np.frombuffer(raw[8 + n + a:8 + n + b], kinds[t['dtype']]).reshape(t['shape']).copy())
    return out


def save(path, tensors):
    head, data = {}, b''
    for name, t in tensors.items():
        raw = t.detach().float().contiguous().numpy().tobytes()
        head[name] = {'dtype': 'F32', 'shape': list(t.shape), 'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    text += b' ' * (-len(text) % 8)
    open(path, 'wb').write(struct.pack('<Q', len(text)) + text + data)


def views(command):
    """the batches that a training sees: a tensor for each name"""
    p = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=1 << 22)
    while True:
        line = p.stdout.readline().split()
        if len(line) != 2 or line[0] != b'batch': sys.exit('method_run ended early')
        batch = {}
        for _ in range(int(line[1])):
            word = p.stdout.readline().decode().split()
            shape = [int(s) for s in word[2:]]
            raw = p.stdout.read(4 * int(np.prod(shape)))
            batch[word[0]] = torch.from_numpy(np.frombuffer(raw, {'f32': np.float32, 'i32': np.int32}[word[1]]).reshape(shape).copy())
        if not batch: break
        yield batch
    p.wait()


def batch_norm(t, name, x):
    """(N,C) or (N,C,H,W) by the statistics of this batch, which the running ones follow"""
    mean, var = t[name + '.running_mean'], t[name + '.running_var']
    return F.batch_norm(x, mean, var, t[name + '.weight'], t[name + '.bias'], True, 0.1, 1e-5)


def convnet(t, e, x, norm=batch_norm):
    """features (N,256) of images (N,H,W,3), as sslh_convnet; e: what the names of its tensors begin with"""
    x = x.permute(0, 3, 1, 2) # channels last in memory
    for i in range(1, 5):
        x = F.relu(norm(t, e + 'bn%d' % i, F.conv2d(x, t[e + 'conv%d.weight' % i], None, 2, 1)))
    return x.mean((2, 3))


def mlp(t, h, x, activation=F.relu):
    """(N,D) -> (N,K), as sslh_mlp without anything after its last layer; h: what the names of its tensors begin with"""
    i = 1
    while h + 'fc%d.weight' % i in t:
        if i > 1: x = activation(x)
        x = F.linear(x, t[h + 'fc%d.weight' % i], t.get(h + 'fc%d.bias' % i))
        if h + 'bn%d.weight' % i in t: x = batch_norm(t, h + 'bn%d' % i, x)
        i += 1
    return x


def half_cosine(begin, end, share):
    """from begin to end while share goes from 0 to 1"""
    return end + (begin - end) * (1 + math.cos(math.pi * share)) / 2


class Method:
    """The tensors of a method by name (t), an optimiser (o) of those that are trained, with decay of matrices only; main sets lr,
    done (the share of the run that lies behind) and epoch before each step. A teacher's tensors have the student's names behind
    the prefix teacher; states are neither trained nor averaged, like the running statistics of batch norm."""
    teacher, states, decay = '-', (), 0.0 # no name begins with -

    def __init__(s, tensors):
        s.t = {k: v if v.dim() != 4 else v.contiguous(memory_format=torch.channels_last) for k, v in tensors.items()}
        params = [k for k in s.t if k not in s.states and 'running_' not in k and 'num_batches' not in k]
        s.averaged = [k for k in params if k.startswith(s.teacher)]
        named = [s.t[k].requires_grad_() for k in params if not k.startswith(s.teacher)]
        matrices, vectors = [p for p in named if p.dim() > 1], [p for p in named if p.dim() < 2]
        s.o = s.optimizer([{'params': matrices, 'weight_decay': s.decay}, {'params': vectors, 'weight_decay': 0.0}])

    def optimizer(s, groups):
        return torch.optim.Adam(groups, lr=1.0)

    def before(s):
        """between the gradients and the update"""

    def update(s, loss):
        for g in s.o.param_groups: g['lr'] = s.lr
        s.o.zero_grad()
        loss.backward()
        s.before()
        s.o.step()
        return loss.item()

    @torch.no_grad()
    def average(s, momentum):
        for k in s.averaged: s.t[k].mul_(momentum).add_(s.t[k[len(s.teacher):]], alpha=1 - momentum)

    def state(s):
        """for the probe"""
        return {k: v for k, v in s.t.items() if k.startswith('encoder.') and 'num_batches' not in k}


def main(method, Model, args):
    torch.set_num_threads(args.threads)
    out, tool, ok, table = args.out or tempfile.mkdtemp(prefix=method + '_compare_'), os.path.join(args.tools, 'method_run'), True, {}
    for seed in args.seeds:
        folder = os.path.join(out, str(seed)); os.makedirs(folder, exist_ok=True)
        rest = [method, args.data, str(seed), str(args.epochs), folder, str(args.steps), str(args.threads)]
        start = time.time()
        text = subprocess.run([tool, 'train'] + rest, check=True, stdout=subprocess.PIPE).stdout.decode()
        seconds = [time.time() - start]
        rows = [[float(v) for v in line.split()] for line in text.splitlines()] # step, of steps, epoch, rate, loss
        ours = np.array(rows)[:, 4]
        start, losses = time.time(), []
        model = Model(load(os.path.join(folder, 'init.safetensors')))
        rest[-1] = '1' # views need one thread beside PyTorch's
        for i, batch in enumerate(views([tool, 'views'] + rest)):
            _, steps, model.epoch, model.lr, _ = rows[i]
            model.done = i / steps
            losses.append(model.step(batch))
        seconds.append(time.time() - start)
        if len(losses) != len(ours): sys.exit('%d steps here, %d there' % (len(ours), len(losses)))
        theirs = np.array(losses); off = np.abs(ours - theirs) / np.abs(theirs)
        good = off[:3].max() <= args.tolerance; ok = ok and good
        print('losses %s seed %d: first %s here, %s PyTorch; relative difference %s of the first steps, %.1e at most of %d: %s' % (
            method, seed, ' '.join('%.6f' % v for v in ours[:3]), ' '.join('%.6f' % v for v in theirs[:3]),
            ' '.join('%.1e' % v for v in off[:5]), off.max(), len(off), 'agree' if good else 'DIFFER'), flush=True)
        if args.steps: continue
        save(os.path.join(folder, 'pytorch.safetensors'), model.state())
        for row, s in zip(('ours', 'pytorch'), seconds):
            text = subprocess.run([tool, 'probe', method, args.data, os.path.join(folder, row + '.safetensors')], check=True,
                                  stdout=subprocess.PIPE).stdout.decode().split()
            names = text[::2]; table.setdefault(row, []).append([float(v) for v in text[1::2]])
            print('compare %s %s seed %d %s loss of the last tenth %.4f seconds %.1f' % (method, row, seed, ' '.join(text),
                  (ours if row == 'ours' else theirs)[-(len(ours) // 10 + 1):].mean(), s), flush=True)
    if table:
        a, b = np.array(table['ours']), np.array(table['pytorch']); n = len(a)
        error = lambda v: v.std(0, ddof=1) / np.sqrt(n) if n > 1 else np.zeros(v.shape[1])
        d, two = a.mean(0) - b.mean(0), 2 * np.sqrt(error(a) ** 2 + error(b) ** 2)
        for i, name in enumerate(names):
            good = abs(d[i]) <= max(1.0, two[i]); ok = ok and good
            print('compare %s mean %s: ours %.2f (se %.2f), PyTorch %.2f (se %.2f), ours minus PyTorch %+.2f (two se %.2f) %s' % (
                method, name, a.mean(0)[i], error(a)[i], b.mean(0)[i], error(b)[i], d[i], two[i], 'agree' if good else 'DIFFER'))
    sys.exit(0 if ok else 1)
