"""A training step and generation by Hugging Face transformers: eager, SDPA attention, the same tokens as our side.

task `train`: forward, backward, clip and fused AdamW on a rectangular batch; the logits of the response alone, as TRL
asks for them; log-probs as TRL's selective_log_softmax, the ratio's surrogate, no entropy (which ours computes). In
bfloat16 weights, gradients and both moments are bfloat16.
task `generate`: model.generate with its KV cache, temperature 1, the whole distribution. A batch of different lengths
goes on until its longest row is done, as generate does; a row that is done is marked by a stopping criterion.
With `decodeOnly` its time is what it takes beyond a call for the first token of each row.
"""
import time

import torch
import transformers
from device import Device
from serve import serve
from transformers import AutoModelForCausalLM, StoppingCriteria, StoppingCriteriaList


def prepare(job):
    device = Device(job)
    dtype = getattr(torch, job["dtype"])
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=dtype, attn_implementation="sdpa").to(device.name)
    facts = {**device.facts(), "transformers": transformers.__version__}
    return facts, (training if job["task"] == "train" else generation)(model, job, device)


def selective_log_softmax(logits, targets):
    """TRL 1.13's, written out as a machine with a GPU often has transformers but no TRL: a row at a time to save memory."""
    targets = targets.unsqueeze(-1)
    if logits.dtype == torch.float32:
        normalizers = torch.stack([torch.logsumexp(row, dim=-1) for row in logits])
        return (torch.gather(logits, dim=-1, index=targets) - normalizers.unsqueeze(-1)).squeeze(-1)
    rows = [torch.log_softmax(row, dim=-1).gather(dim=-1, index=index) for row, index in zip(logits, targets)]
    return torch.stack(rows).squeeze(-1)


def training(model, job, device):
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, weight_decay=0.01, fused=True)
    rows = [
        (prompt + response["tokens"], response["advantage"])
        for prompt, group in zip(job["prompts"], job["groups"])
        for response in group
    ]
    ids = torch.tensor([tokens for tokens, _ in rows]).to(device.name)
    advantages = torch.tensor([advantage for _, advantage in rows]).unsqueeze(1).to(device.name)
    length = len(job["groups"][0][0]["tokens"])
    targets = ids[:, -length:]

    def run():
        logits = model(input_ids=ids, logits_to_keep=length + 1, use_cache=False).logits[:, :-1]
        logprobs = selective_log_softmax(logits, targets)
        ratio = torch.exp(logprobs - logprobs.detach())
        surrogate = torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages)
        (-surrogate).mean().backward()
        del logits, logprobs, ratio, surrogate
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        device.wait()
        return {"peakMemory": device.peak()} if device.on_gpu else None

    return run


class Lengths(StoppingCriteria):
    """Each row ends after its own number of new tokens."""

    def __init__(self, prompt, lengths, device):
        self.ends = prompt + torch.tensor(lengths).to(device.name)

    def __call__(self, input_ids, scores, **_):
        return input_ids.shape[1] >= self.ends


def generation(model, job, device):
    model.eval()
    ids = torch.tensor(job["prompts"]).to(device.name)
    lengths = job["lengths"]
    options = dict(
        do_sample=True, temperature=1.0, top_k=0, top_p=1.0, use_cache=True,
        num_return_sequences=job["samples"], pad_token_id=0, eos_token_id=None,
    )
    if min(lengths) < max(lengths):
        options["stopping_criteria"] = StoppingCriteriaList([Lengths(ids.shape[1], lengths, device)])

    def generate(longest):
        begun = time.perf_counter()
        with torch.inference_mode():
            output = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=longest, **options)
        device.wait()
        if output.shape[1] != ids.shape[1] + longest:
            raise SystemExit(f"{output.shape[1] - ids.shape[1]} tokens were generated in place of {longest}")
        return time.perf_counter() - begun

    def run():
        if not job.get("decodeOnly"):
            generate(max(lengths))
            return None
        first = generate(1)
        return {"seconds": generate(max(lengths)) - first, "first": first}

    return run


serve(prepare)
