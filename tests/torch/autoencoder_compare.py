#!/usr/bin/python3
"""The textbook's autoencoder 784-64-32-16-32-64-784, ours beside PyTorch, on MNIST.

    make tools                      (builds build/tools/method_run)
    autoencoder_compare.py [--seeds 1 2 3] [--epochs 50] [--data FOLDER]
    autoencoder_compare.py --seeds 1 --steps 5          the losses of the first steps only

Equal: initial weights, batches (streamed), Adam 1e-3, batch 256, number of epochs, and the measure: 1000 times the squared error of
a pixel of the test images, which the encoder and the decoder that PyTorch trained have in our program too, and the probes of the
codes. compare.py says what is printed."""
import compare
args = compare.options('mnist', 50)
import torch, torch.nn.functional as F


class Autoencoder(compare.Method):
    def step(s, batch):
        x = h = batch['images'].flatten(1)
        for i, name in enumerate(('encoder.fc1', 'encoder.fc2', 'encoder.fc3', 'decoder.fc3', 'decoder.fc2', 'decoder.fc1')):
            h = F.linear(h, s.t[name + '.weight'], s.t[name + '.bias'])
            if i not in (2, 5): h = F.relu(h)
        return s.update(0.5 * ((torch.sigmoid(h) - x) ** 2).sum(1).mean())

    def state(s):
        return s.t


compare.main('autoencoder', Autoencoder, args)
