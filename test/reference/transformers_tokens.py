"""What transformers' AutoTokenizer makes of texts and chats, as JSON on stdout.

python transformers_tokens.py DIR < cases.json  cases: { texts, chats }
"""

import json
import sys

import transformers

transformers.logging.set_verbosity_error()
cases = json.load(sys.stdin)
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
ids = [tokenizer.encode(text, add_special_tokens=False) for text in cases["texts"]]
json.dump(
    {
        "length": len(tokenizer),
        "eos": tokenizer.eos_token_id,
        "pad": tokenizer.pad_token_id,
        "ids": ids,
        "decoded": [tokenizer.decode(each, clean_up_tokenization_spaces=False) for each in ids],
        "decodedWithoutSpecial": [
            tokenizer.decode(each, skip_special_tokens=True, clean_up_tokenization_spaces=False) for each in ids
        ],
        "chats": [
            tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) for chat in cases["chats"]
        ],
    },
    sys.stdout,
)
