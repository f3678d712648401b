"""What PEFT and transformers compute with saved adapters on their models, as JSON on stdout.

python peft_scores.py --probe        prints the versions, or fails when something is missing
python peft_scores.py < jobs.json    jobs: [{ base, adapter, tokenIds, save }]

Weights are read as saved and computed on in float64: logits [V] after the last token. Where `save` is given, PEFT writes the adapter
there again, as its own users would.
"""

import json
import sys

import peft
import torch
import transformers


def logits(job):
    base = transformers.AutoModelForCausalLM.from_pretrained(job["base"], dtype="auto")
    model = peft.PeftModel.from_pretrained(base, job["adapter"])
    if job.get("save"):
        model.save_pretrained(job["save"])
    names = sorted(name for name, _ in model.named_parameters() if "lora_" in name)
    with torch.no_grad():
        last = model.double().eval()(torch.tensor([job["tokenIds"]])).logits[0, -1]
    return {"logits": last.tolist(), "tensors": len(names)}


if sys.argv[1:] == ["--probe"]:
    print(json.dumps({"peft": peft.__version__, "transformers": transformers.__version__}))
else:
    transformers.logging.set_verbosity_error()
    print(json.dumps([logits(job) for job in json.load(sys.stdin)]))
