"""Values of the fused head's loss and gradients by PyTorch autograd in float64, for head-reference.test.ts.

Run by hand: python test/reference/head-oracle.py > test/reference/head-oracle.json
The formulas are written from the paper (Skywork-OR1, eq 3.1) with PyTorch's own operators, not from head.ts.
"""

import json

import torch

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(20260101)

CASES = [
    dict(name="on-policy", n=4, v=7, h=3, temperature=1.0, low=0.2, high=0.2, alpha=0.0, beta=0.0, old=False),
    dict(name="on-policy, entropy", n=5, v=11, h=4, temperature=0.7, low=0.2, high=0.2, alpha=0.02, beta=0.0, old=False),
    dict(name="clipped", n=9, v=7, h=4, temperature=1.0, low=0.1, high=0.1, alpha=0.0, beta=0.0, old=True),
    dict(name="clipped, temperature", n=9, v=5, h=3, temperature=1.6, low=0.2, high=0.28, alpha=0.0, beta=0.0, old=True),
    dict(name="kl", n=6, v=13, h=3, temperature=1.0, low=0.2, high=0.2, alpha=0.0, beta=0.5, old=False),
    dict(name="everything", n=10, v=9, h=5, temperature=0.6, low=0.2, high=0.25, alpha=0.05, beta=0.1, old=True),
]


def rounded(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor * 1024).round() / 1024


def listed(tensor: torch.Tensor) -> list:
    return tensor.detach().flatten().tolist()


results = []
for case in CASES:
    n, v, h = case["n"], case["v"], case["h"]
    hidden = rounded(torch.randn(n, h, generator=generator)).requires_grad_()
    weight = rounded(torch.randn(v, h, generator=generator)).requires_grad_()
    targets = torch.randint(v, (n,), generator=generator)
    advantages = rounded(torch.randn(n, generator=generator))
    distribution = torch.distributions.Categorical(logits=hidden @ weight.T / case["temperature"])
    logprobs = distribution.log_prob(targets)
    old = rounded(logprobs.detach() + 0.4 * torch.randn(n, generator=generator)) if case["old"] else logprobs.detach()
    reference = rounded(logprobs.detach() + 0.4 * torch.randn(n, generator=generator))
    ratio = (logprobs - old).exp()
    surrogate = torch.min(ratio * advantages, ratio.clamp(1 - case["low"], 1 + case["high"]) * advantages)
    r = (reference - logprobs).exp()
    k3 = r - r.log() - 1
    entropy = distribution.entropy()
    loss = -(surrogate + case["alpha"] * entropy).mean() + case["beta"] * k3.mean()
    loss.backward()
    results.append(
        {
            "name": case["name"],
            "hiddenSize": h,
            "options": {
                "temperature": case["temperature"],
                "clipLow": case["low"],
                "clipHigh": case["high"],
                "entropyCoefficient": case["alpha"],
                "klCoefficient": case["beta"],
            },
            "hidden": listed(hidden),
            "weight": listed(weight),
            "targets": listed(targets),
            "advantages": listed(advantages),
            "oldLogprobs": listed(old) if case["old"] else None,
            "referenceLogprobs": listed(reference) if case["beta"] else None,
            "loss": loss.item(),
            "logprobs": listed(logprobs),
            "entropy": listed(entropy),
            "hiddenGradient": listed(hidden.grad),
            "weightGradient": listed(weight.grad),
        }
    )
print("[\n" + ",\n".join(json.dumps(result) for result in results) + "\n]")
