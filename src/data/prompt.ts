/** One turn of a chat. */
export interface Message {
  /** `system`, `user` or `assistant`, as far as the model's chat template knows it */
  role: string
  content: string
}

/** A problem to answer, ready for the policy. */
export interface Prompt {
  /** 16 hex digits of a hash over messages and answer: the same problem has the same id in every file and run */
  id: string
  /** what the chat template was given, system prompt and suffix included */
  messages: Message[]
  /** the rendered chat with its generation prompt, at least one token */
  tokenIds: Int32Array
  /** what the verifier compares with; undefined where the row has none */
  answer: unknown
  /** the row's data_source, else the name of its file without the extension */
  source: string
  /** the part of a weighted mixture that it is drawn with: its file, and how often relative to the others' weights */
  mixture?: { part: string; weight: number }
  /** the row's other fields: ability, extra_info and whatever else it has */
  extra: Record<string, unknown>
}
