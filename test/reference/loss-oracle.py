"""Losses and gradients of every loss option by transformers and PyTorch autograd in float64, for loss-oracle.test.ts and
update-oracle.test.ts.

Run by hand: python test/reference/loss-oracle.py > test/golden/loss-oracle.json
The model is test/golden/qwen2-tied. The formulas are written from the papers with PyTorch's operators, sequence by
sequence: Skywork-OR1 (eq 2.5 and 3.1), Ye et al. 2020 (dual clip), GSPO (eq 5 and 7), Dr. GRPO, DAPO (section 3.4),
Yao et al. 2025 (truncated importance sampling), Schulman (k3).

losses[k]: one call on `batch`; `uses` names what of the batch the call is given beside tokens and advantages.
updates[k]: one update of a training step from the responses, rewards and settings of `step` on; what is kept of it.
Of each gradient: its norm, and its inner products with cos(i) and sin(2 i), i the index of an element.
"""

import json
import pathlib

import torch
from transformers import AutoModelForCausalLM

torch.manual_seed(20260203)
torch.set_num_threads(1)
folder = pathlib.Path(__file__).parent.parent / "golden" / "qwen2-tied"
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
VOCAB = model.config.vocab_size


def rounded(tensor):
    """Float32 holds these exactly."""
    return (tensor * 1024).round() / 1024


def drawn(count):
    return torch.randint(VOCAB, (count,))


def token_values(sequences, temperature):
    """Log-probs and full-vocabulary entropies of the response tokens, each sequence on its own."""
    values = []
    for prompt, response in sequences:
        logits = model(torch.cat([prompt, response])[None]).logits[0, len(prompt) - 1 : -1] / temperature
        log_p = logits.log_softmax(-1)
        values.append((log_p.gather(1, response[:, None])[:, 0], -(log_p.exp() * log_p).sum(-1)))
    return values


def far(values, kink, what):
    """Across a kink float32 and float64 may take different branches."""
    assert (values - kink).abs().min() > 1e-4, f"{what} is too near {kink}: take another seed"


def k3(log_r):
    return log_r.exp() - log_r - 1


def measured(sequences, advantages, options, old=None, sampler=None, reference=None, mask=None, counted=None):
    """`counted`: tokens and sequences below the line, where they are more than those above it."""
    model.zero_grad()
    low, high = options.get("clipLow", 0.2), options.get("clipHigh", 0.2)
    dual, cap = options.get("dualClip", 0), options.get("importanceSamplingCap", 0)
    alpha, beta = options.get("entropyCoefficient", 0), options.get("klCoefficient", 0)
    aggregation = options.get("aggregation", "token-mean")
    values = token_values(sequences, options.get("temperature", 1))
    keep = mask or [torch.ones(len(response), dtype=torch.bool) for _, response in sequences]
    tokens = sum(int(own.sum()) for own in keep)
    count = sum(bool(own.any()) for own in keep)
    below_tokens, below_sequences = counted or (tokens, count)

    loss, policy_loss = 0, 0
    sums = dict(entropy=0, entropySampled=0, kl=0, approxKl=0, clipFractionLow=0, clipFractionHigh=0)
    for i, (logp, entropy) in enumerate(values):
        kept = keep[i]
        if not kept.any():
            continue
        logp, entropy, a = logp[kept], entropy[kept], advantages[i]
        before = logp.detach() if old is None else old[i][kept]
        log_ratio = logp - before
        if options.get("ratioLevel") == "sequence":
            ratio = log_ratio.mean().exp().expand(len(logp))
        else:
            ratio = log_ratio.exp()
        if old is not None:
            far(ratio, 1 - low, "ratio")
            far(ratio, 1 + high, "ratio")
        term = torch.min(ratio * a, ratio.clamp(1 - low, 1 + high) * a)
        if dual and a < 0:
            far(term, dual * a, "dual clip")
            term = torch.max(term, dual * a)
        if cap:
            weight = (before - sampler[i][kept]).exp()
            far(weight, cap, "importance weight")
            term = term * weight.clamp(max=cap)
        whole = term + alpha * entropy
        if beta:
            divergence = k3(reference[i][kept] - logp)
            whole = whole - beta * divergence
            sums["kl"] += divergence.sum().item()
        share = {
            "token-mean": 1 / below_tokens,
            "sequence-mean-token-mean": 1 / (below_sequences * len(logp)),
            "sequence-mean-token-sum": 1 / (below_sequences * options.get("aggregationConstant", 1)),
        }[aggregation]
        loss = loss - options.get("lossScale", 1) * share * whole.sum()
        policy_loss -= options.get("lossScale", 1) * share * term.sum().item()
        sums["entropy"] += entropy.sum().item()
        sums["entropySampled"] -= logp.sum().item()
        sums["approxKl"] += k3(-log_ratio).sum().item()
        sums["clipFractionLow"] += int(((ratio < 1 - low) & (a < 0)).sum())
        sums["clipFractionHigh"] += int(((ratio > 1 + high) & (a > 0)).sum())
    loss.backward()
    figures = dict(loss=loss.item(), policyLoss=policy_loss, **{name: value / tokens for name, value in sums.items()})
    gradients = {}
    squares = 0
    for name, parameter in model.named_parameters():
        gradient = parameter.grad.flatten()
        index = torch.arange(len(gradient), dtype=torch.float64)
        squares += gradient.square().sum().item()
        gradients[name] = [gradient.norm().item(), (gradient @ index.cos()).item(), (gradient @ (2 * index).sin()).item()]
    figures.update(clipFraction=figures["clipFractionLow"] + figures["clipFractionHigh"], gradNorm=squares**0.5)
    short = lambda value: float(f"{value:.9g}")
    return dict(
        tokens=tokens,
        figures={name: short(value) for name, value in figures.items()},
        gradients={name: [short(value) for value in values] for name, values in gradients.items()},
    )


def listed(tensors):
    return [tensor.tolist() for tensor in tensors]


# One batch for all loss options: groups that share a prompt, the mask takes tokens here and there and one sequence.
GROUPS = [(6, [5, 9, 1, 7]), (1, [3, 12]), (11, [8, 2, 6])]
sequences = []
for prompt_length, lengths in GROUPS:
    prompt = drawn(prompt_length)
    sequences += [(prompt, drawn(length)) for length in lengths]
advantages = rounded(torch.randn(len(sequences)))
with torch.no_grad():
    current = [logp for logp, _ in token_values(sequences, 1)]
near = lambda scale, values: [rounded(value + scale * torch.randn(len(value))) for value in values]
given = dict(old=near(0.35, current), reference=near(0.5, current))
given["sampler"] = near(0.3, given["old"])
given["mask"] = [torch.rand(len(value)) < 0.7 for value in current]
given["mask"][1][:] = False
given["mask"][2][:] = True

TOKEN, MEAN, SUM = "token-mean", "sequence-mean-token-mean", "sequence-mean-token-sum"
EVERYTHING = dict(
    temperature=0.9, clipLow=0.1, clipHigh=0.28, dualClip=1.15, entropyCoefficient=0.02, klCoefficient=0.05,
    importanceSamplingCap=1.25, lossScale=0.6,
)
ALL = "old sampler reference mask"
LOSSES = [
    ("", dict()),
    ("old", dict()),
    ("old", dict(clipLow=0.3, clipHigh=0.05)),
    ("old", dict(clipLow=0.05, clipHigh=0.4)),
    ("old", dict(dualClip=1.1)),
    ("", dict(entropyCoefficient=0.05)),
    ("old", dict(entropyCoefficient=-0.05)),
    ("", dict(temperature=0.6, entropyCoefficient=0.05)),
    ("old", dict(temperature=1.7)),
    ("reference", dict(klCoefficient=0.3)),
    ("old reference", dict(klCoefficient=0.3, temperature=0.7)),
    ("sampler", dict(importanceSamplingCap=1.2)),
    ("old sampler", dict(importanceSamplingCap=1.2)),
    ("old sampler", dict(importanceSamplingCap=3.5)),
    ("sampler", dict(ratioLevel="sequence", importanceSamplingCap=1.2)),
    ("old", dict(ratioLevel="sequence")),
    ("old", dict(ratioLevel="sequence", clipLow=0.04, clipHigh=0.03)),
    ("old mask", dict(ratioLevel="sequence", clipLow=0.04, clipHigh=0.03)),
    ("old", dict(ratioLevel="sequence", clipLow=0.04, clipHigh=0.03, dualClip=1.05)),
    ("old mask", dict()),
    ("mask", dict(entropyCoefficient=0.05)),
    ("old", dict(aggregation=MEAN)),
    ("old", dict(aggregation=SUM, aggregationConstant=9)),
    ("old mask reference", dict(aggregation=MEAN, entropyCoefficient=0.05, klCoefficient=0.3)),
    ("old mask reference", dict(aggregation=SUM, aggregationConstant=9, entropyCoefficient=0.05, klCoefficient=0.3)),
    ("old reference", dict(entropyCoefficient=0.05, klCoefficient=0.3, lossScale=0.35)),
    (ALL, EVERYTHING),
    (ALL, dict(EVERYTHING, aggregation=MEAN)),
    (ALL, dict(EVERYTHING, aggregation=SUM, aggregationConstant=7)),
    (ALL, dict(EVERYTHING, ratioLevel="sequence", clipLow=0.05, clipHigh=0.04, dualClip=1.06)),
    (ALL, dict(EVERYTHING, ratioLevel="sequence", clipLow=0.05, clipHigh=0.04, aggregation=MEAN)),
]
losses = [
    dict(uses=uses, options=options, **measured(sequences, advantages, options, **{name: given[name] for name in uses.split()}))
    for uses, options in LOSSES
]

# One training step: responses, what a verifier says of them, and the settings that make a loss of it.
LIMIT = 12
STEP = [
    (5, [7, 12, 12, 9], [1, 0, 1, 0], [False, True, False, True]),
    (3, [12, 4, 12, 11], [0.5, 1, 0, 0.25], [True, False, True, False]),
    (8, [6, 12, 5, 10], [1, 1, 1, 1], [False, True, False, False]),
]
step = []
for prompt_length, lengths, rewards, truncated in STEP:
    prompt = drawn(prompt_length)
    responses = [drawn(length) for length in lengths]
    with torch.no_grad():
        sampled = near(0.3, [logp for logp, _ in token_values([(prompt, response) for response in responses], 1)])
    step.append(dict(prompt=prompt, responses=responses, sampled=sampled, rewards=rewards, truncated=truncated))


def advantages_of(group, mask, std, buffer, penalty):
    rewards = torch.tensor(group["rewards"], dtype=torch.float64)
    if buffer:
        lengths = torch.tensor([len(response) for response in group["responses"]], dtype=torch.float64)
        rewards = rewards - penalty * ((lengths - (LIMIT - buffer)) / buffer).clamp(0, 1)
    truncated = torch.tensor(group["truncated"])
    usable = rewards[~truncated] if mask == "before" else rewards
    result = rewards - usable.mean()
    if std:
        result = result / (usable.std(unbiased=True) + 1e-6)
    return result if mask == "none" else torch.where(truncated, 0.0, result)


def update(off_policy=False, mask="none", count_masked=False, std=True, buffer=0, penalty=1.0, **options):
    sequences, advantages, old, every = [], [], [], []
    grouped = [advantages_of(group, mask, std, buffer, penalty) for group in step]
    for group, values in zip(step, grouped):
        if values.abs().max() < 1e-9:
            continue
        for response, sampled, value, cut in zip(group["responses"], group["sampled"], values, group["truncated"]):
            every.append(len(response))
            if mask == "none" or not cut:
                sequences.append((group["prompt"], response))
                advantages.append(value)
                old.append(sampled)
    counted = (sum(every), len(every)) if count_masked else None
    loss = dict(options, aggregationConstant=options.get("aggregationConstant", LIMIT))
    return dict(
        settings=dict(
            **options,
            truncation=dict(
                reward="graded", advantageMask=mask, countMasked=count_masked, overlongBuffer=buffer, overlongPenalty=penalty
            ),
            advantage=dict(divideByStd=std),
            reuse=2 if off_policy else 1,
        ),
        advantages=listed(grouped),
        **measured(sequences, advantages, loss, old=old if off_policy else None, counted=counted),
    )


updates = [
    update(),
    update(std=False),
    update(mask="before"),
    update(mask="after", off_policy=True),
    update(mask="before", std=False, entropyCoefficient=0.03),
    update(buffer=5, penalty=0.5),
    update(buffer=8, penalty=1.5, std=False, off_policy=True),
    update(mask="after", buffer=5, aggregation=MEAN),
    update(mask="before", count_masked=True, entropyCoefficient=0.03, off_policy=True),
    update(mask="after", count_masked=True, aggregation=MEAN, entropyCoefficient=0.03),
    update(mask="after", count_masked=True, aggregation=SUM, off_policy=True),
    update(mask="before", count_masked=True, std=False, buffer=5, aggregation=SUM, aggregationConstant=6, ratioLevel="sequence", off_policy=True),
]

print(
    json.dumps(
        dict(
            batch=dict(
                sequences=[torch.cat(pair).tolist() for pair in sequences],
                promptLengths=[len(prompt) for prompt, _ in sequences],
                advantages=advantages.tolist(),
                **{name: listed(tensors) for name, tensors in given.items() if name != "mask"},
                mask=[own.int().tolist() for own in given["mask"]],
            ),
            losses=losses,
            step=[
                dict(
                    prompt=group["prompt"].tolist(),
                    responses=listed(group["responses"]),
                    sampledLogprobs=listed(group["sampled"]),
                    rewards=group["rewards"],
                    truncated=group["truncated"],
                )
                for group in step
            ],
            updates=updates,
        ),
        separators=(",", ":"),
    )
)
