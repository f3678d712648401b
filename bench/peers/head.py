"""The head in PyTorch: log-probs, entropies, clipped surrogate with entropy bonus, gradients of hidden states and weight.

kind `naive`: as it is usually written, autograd through all logits, in float32 from the logits on.
kind `products`: the three matrix products alone, into memory that is there: logits, and both gradients from them.
"""
import time

import torch
from device import Device
from serve import serve


def prepare(job):
    device = Device(job)
    dtype = getattr(torch, job["dtype"])
    tokens, width, vocabulary = job["tokens"], job["hiddenSize"], job["vocabSize"]
    torch.manual_seed(1)
    hidden = torch.randn(tokens, width).to(dtype).to(device.name)
    weight = (torch.randn(vocabulary, width) * (2 / width**0.5)).to(dtype).to(device.name)
    kind = naive if job["kind"] == "naive" else products
    return device.facts(), kind(hidden, weight, device)


def naive(hidden, weight, device):
    tokens, vocabulary = hidden.shape[0], weight.shape[0]
    hidden.requires_grad_()
    weight.requires_grad_()
    targets = torch.randint(vocabulary, (tokens, 1)).to(device.name)
    advantages = torch.randn(tokens).to(device.name)
    old = (torch.randn(tokens) * 0.2 - torch.log(torch.tensor(float(vocabulary))) - 2).to(device.name)

    def step():
        logprobs = torch.log_softmax((hidden @ weight.T).float(), -1)
        entropy = -(logprobs.exp() * logprobs).sum(-1)
        ratio = (logprobs.gather(-1, targets).squeeze(-1) - old).exp()
        surrogate = torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages)
        (-surrogate - 0.001 * entropy).mean().backward()
        device.wait()

    def run():
        hidden.grad = weight.grad = None
        before = device.restart_peak()
        step()
        extra = device.peak() - before - gradient_bytes()
        # Again, with the memory that the first has faulted in.
        hidden.grad = weight.grad = None
        begun = time.perf_counter()
        step()
        return {"seconds": time.perf_counter() - begun, "extraMemory": extra}

    def gradient_bytes():
        return sum(each.grad.numel() * each.grad.element_size() for each in (hidden, weight))

    return run


def products(hidden, weight, device):
    logits = torch.empty(hidden.shape[0], weight.shape[0], dtype=hidden.dtype, device=device.name)
    d_hidden, d_weight = torch.empty_like(hidden), torch.empty_like(weight)

    def run():
        begun = time.perf_counter()
        torch.mm(hidden, weight.T, out=logits)
        torch.mm(logits, weight, out=d_hidden)
        torch.mm(logits.T, hidden, out=d_weight)
        device.wait()
        return {"seconds": time.perf_counter() - begun, "extraMemory": logits.numel() * logits.element_size()}

    return run


serve(prepare)
