"""Greedy tokens of the golden prompts that hold token 0, by transformers with every prompt token attended to.

Run by hand: python test/reference/golden_greedy.py > test/reference/golden-greedy.json

`greedy_20` in expected.json was made by generate() with pad_token_id 0 and no attention mask. transformers then takes every 0
in a prompt for padding and leaves it out of attention, which its own forward (`last_logits`, log-probs) does not do. This
gives the same call with the mask spelled out; prompts without a 0 come out as in expected.json, which is checked here.
"""

import json
import pathlib

import torch
import transformers

transformers.logging.set_verbosity_error()
golden = pathlib.Path(__file__).parent.parent / "golden"
corrected = {}
for folder in sorted(path for path in golden.iterdir() if path.is_dir()):
    expected = json.loads((folder / "expected.json").read_text())
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
    corrected[folder.name] = {}
    for index, (sequence, prompt_length) in enumerate(zip(expected["sequences"], expected["prompt_lengths"])):
        prompt = torch.tensor([sequence[:prompt_length]])
        tokens = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=20,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=None,
        )[0, prompt_length:].tolist()
        if 0 in sequence[:prompt_length]:
            corrected[folder.name][index] = tokens
        else:
            assert tokens == expected["greedy_20"][index], (folder.name, index)
print(json.dumps(corrected))
