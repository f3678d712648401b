"""A training step and generation by Hugging Face transformers: eager, SDPA attention, the same tokens as our side.

task `train`: forward, backward, clip and fused AdamW on a rectangular batch; the logits of the response alone, as TRL
asks for them; log-probs by TRL's selective_log_softmax, the ratio's surrogate, no entropy (which ours computes). In
bfloat16 weights, gradients and both moments are bfloat16.
task `generate`: model.generate with its KV cache, temperature 1, the whole distribution. A batch of different lengths
goes on until its longest row is done, as generate does; a row that is done is marked by a stopping criterion.
"""
import torch
import transformers
from serve import serve
from transformers import AutoModelForCausalLM, StoppingCriteria, StoppingCriteriaList
from trl.trainer.utils import selective_log_softmax


def prepare(job):
    dtype = getattr(torch, job["dtype"])
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=dtype, attn_implementation="sdpa")
    facts = {"torch": torch.__version__, "transformers": transformers.__version__, "threads": torch.get_num_threads()}
    return facts, (training if job["task"] == "train" else generation)(model, job)


def training(model, job):
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, weight_decay=0.01, fused=True)
    rows = [
        (prompt + response["tokens"], response["advantage"])
        for prompt, group in zip(job["prompts"], job["groups"])
        for response in group
    ]
    ids = torch.tensor([tokens for tokens, _ in rows])
    advantages = torch.tensor([advantage for _, advantage in rows]).unsqueeze(1)
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

    return run


class Lengths(StoppingCriteria):
    """Each row ends after its own number of new tokens."""

    def __init__(self, prompt, lengths):
        self.ends = prompt + torch.tensor(lengths)

    def __call__(self, input_ids, scores, **_):
        return input_ids.shape[1] >= self.ends


def generation(model, job):
    model.eval()
    ids = torch.tensor(job["prompts"])
    lengths = job["lengths"]
    longest = max(lengths)
    options = dict(
        do_sample=True, temperature=1.0, top_k=0, top_p=1.0, use_cache=True, max_new_tokens=longest,
        num_return_sequences=job["samples"], pad_token_id=0, eos_token_id=None,
    )
    if min(lengths) < longest:
        options["stopping_criteria"] = StoppingCriteriaList([Lengths(ids.shape[1], lengths)])

    def run():
        with torch.inference_mode():
            output = model.generate(ids, attention_mask=torch.ones_like(ids), **options)
        if output.shape[1] != ids.shape[1] + longest:
            raise SystemExit(f"{output.shape[1] - ids.shape[1]} tokens were generated in place of {longest}")

    return run


serve(prepare)
