"""GRPO steps by TRL's GRPOTrainer, one each time it is asked.

Its defaults but for what the job says, and for these: no gradient checkpointing (it costs time), `beta_2` 0.999 as ours,
no vLLM, SDPA attention. dtype `float32`: no autocast; `bfloat16`: TRL's default, autocast over float32 weights.
A step is from its first line (generation) to the end of its optimizer step; the data loader is not in it.
"""
import json
import os
import re
import sys
import tempfile
import time

import torch
import transformers
import trl
from datasets import Dataset
from serve import answer, memory, restart_peak
from transformers import AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer


def every_second(completions, **_):
    return [float(index % 2) for index in range(len(completions))]


def boxed(completions, answer, **_):
    """1 where the last box holds the answer, as the math verifier decides for integers."""
    rewards = []
    for completion, gold in zip(completions, answer):
        boxes = re.findall(r"\\boxed\{([^{}]*)\}", completion[0]["content"])
        rewards.append(1.0 if boxes and boxes[-1].strip() == gold else 0.0)
    return rewards


class Turns(TrainerCallback):
    """Holds the trainer until the next step is asked for, and answers with what it was."""

    def __init__(self, start):
        self.start = start
        self.begun = self.seconds = None

    def on_train_begin(self, *_, **__):
        versions = {"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__}
        answer({**versions, "threads": torch.get_num_threads()})

    def on_step_begin(self, *_, **__):
        for line in sys.stdin:
            if json.loads(line)["request"] == "run":
                self.begun = time.perf_counter()
                return
            answer(memory(self.start))
        os._exit(0)

    def on_step_end(self, *_, **__):
        self.seconds = time.perf_counter() - self.begun

    def on_log(self, args, state, control, logs=None, **_):
        if "reward" in (logs or {}):
            answer({"seconds": self.seconds, "reward": logs["reward"], "entropy": logs["entropy"],
                    "length": logs["completions/mean_length"]})


def main():
    job = json.loads(sys.stdin.readline())
    start = restart_peak()
    if "texts" in job:
        rows, reward = [{"prompt": text} for text in job["texts"]], every_second
    else:
        with open(job["rows"]) as file:
            rows = [json.loads(line) for line in file]
        rows = [{"prompt": row["prompt"], "answer": row["reward_model"]["ground_truth"]} for row in rows]
        reward = boxed
    with tempfile.TemporaryDirectory() as folder:
        config = GRPOConfig(
            output_dir=folder, max_steps=1_000_000, learning_rate=job["learningRate"], lr_scheduler_type="constant",
            per_device_train_batch_size=job["prompts"] * job["samples"], num_generations=job["samples"],
            max_completion_length=job["newTokens"], temperature=1.0, weight_decay=0.01, max_grad_norm=1.0,
            adam_beta2=0.999, bf16=job["dtype"] == "bfloat16", fp16=False, gradient_checkpointing=False, use_cpu=True,
            seed=1, logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True,
            model_init_kwargs={"dtype": "float32", "attn_implementation": "sdpa"},
        )
        GRPOTrainer(
            model=job["model"], reward_funcs=reward, args=config, train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(job["model"]), callbacks=[Turns(start)],
        ).train()


main()
