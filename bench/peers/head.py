"""The head in PyTorch: log-probs, entropies, clipped surrogate with entropy bonus, gradients of hidden states and weight.

kind `naive`: as it is usually written, autograd through all logits, in float32 from the logits on.
kind `products`: the three matrix products alone, into memory that is there: logits, and both gradients from them.
"""
import time

import torch
from serve import memory_of, restart_peak, serve


def prepare(job):
    dtype = getattr(torch, job["dtype"])
    tokens, width, vocabulary = job["tokens"], job["hiddenSize"], job["vocabSize"]
    torch.manual_seed(1)
    hidden = torch.randn(tokens, width).to(dtype)
    weight = (torch.randn(vocabulary, width) * (2 / width**0.5)).to(dtype)
    kind = naive if job["kind"] == "naive" else products
    return {"torch": torch.__version__, "threads": torch.get_num_threads()}, kind(hidden, weight)


def naive(hidden, weight):
    tokens, vocabulary = hidden.shape[0], weight.shape[0]
    hidden.requires_grad_()
    weight.requires_grad_()
    targets = torch.randint(vocabulary, (tokens, 1))
    advantages = torch.randn(tokens)
    old = torch.randn(tokens) * 0.2 - torch.log(torch.tensor(float(vocabulary))) - 2

    def step():
        logprobs = torch.log_softmax((hidden @ weight.T).float(), -1)
        entropy = -(logprobs.exp() * logprobs).sum(-1)
        ratio = (logprobs.gather(-1, targets).squeeze(-1) - old).exp()
        surrogate = torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages)
        (-surrogate - 0.001 * entropy).mean().backward()

    def run():
        hidden.grad = weight.grad = None
        before = restart_peak()
        step()
        extra = memory_of("VmHWM") - before - gradient_bytes()
        # Again, with the memory that the first has faulted in.
        hidden.grad = weight.grad = None
        begun = time.perf_counter()
        step()
        return {"seconds": time.perf_counter() - begun, "extraMemory": extra}

    def gradient_bytes():
        return sum(each.grad.numel() * each.grad.element_size() for each in (hidden, weight))

    return run


def products(hidden, weight):
    logits = torch.empty(hidden.shape[0], weight.shape[0], dtype=hidden.dtype)
    d_hidden, d_weight = torch.empty_like(hidden), torch.empty_like(weight)

    def run():
        begun = time.perf_counter()
        torch.mm(hidden, weight.T, out=logits)
        torch.mm(logits, weight, out=d_hidden)
        torch.mm(logits.T, hidden, out=d_weight)
        return {"seconds": time.perf_counter() - begun, "extraMemory": logits.numel() * logits.element_size()}

    return run


serve(prepare)
