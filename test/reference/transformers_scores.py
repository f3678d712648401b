"""What transformers computes on saved checkpoints, as JSON on stdout.

python transformers_scores.py --probe        prints the versions, or fails when something is missing
python transformers_scores.py < jobs.json    jobs: [{ dir, sequences, promptLengths, advantages, temperature, newTokens }]

The weights are read as they were saved and computed on in float64. The gradients are those of the on-policy loss,
-mean(A log p) over the response tokens.
"""

import json
import sys

import torch
import transformers


def scores(job):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(job["dir"], dtype="auto", output_loading_info=True)
    result = {
        "architecture": type(model).__name__,
        "dtype": str(model.dtype).removeprefix("torch."),
        "missing": sorted(info["missing_keys"]),
        "unexpected": sorted(info["unexpected_keys"]),
        "mismatched": sorted(str(key) for key in info["mismatched_keys"]),
        "logprobs": [],
        "entropy": [],
        "greedy": [],
    }
    model = model.double().eval()
    objective = 0
    for sequence, prompt_length, advantage in zip(job["sequences"], job["promptLengths"], job["advantages"]):
        ids = torch.tensor([sequence])
        scaled = model(ids).logits[0, prompt_length - 1 : -1] / job["temperature"]
        distribution = torch.distributions.Categorical(logits=scaled)
        logprobs = distribution.log_prob(ids[0, prompt_length:])
        objective = objective + advantage * logprobs.sum()
        result["logprobs"] += logprobs.tolist()
        result["entropy"] += distribution.entropy().tolist()
        tokens = sequence[:prompt_length]
        with torch.no_grad():
            for _ in range(job["newTokens"]):
                tokens = [*tokens, model(torch.tensor([tokens])).logits[0, -1].argmax().item()]
        result["greedy"].append(tokens[prompt_length:])
    (-objective / len(result["logprobs"])).backward()
    result["gradientNorms"] = {name: parameter.grad.norm().item() for name, parameter in model.named_parameters()}
    return result


if sys.argv[1:] == ["--probe"]:
    print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__}))
else:
    transformers.logging.set_verbosity_error()
    print(json.dumps([scores(job) for job in json.load(sys.stdin)]))
