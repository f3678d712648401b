/** How training prompts are compared with evaluation problems. */
export interface DecontaminationOptions {
  /** words in a row that must be shared */
  ngram: number
}

// What this many problems of one file have in common is a phrase of their makers, not a problem: "where m and n are
// relatively prime positive integers" is in every fifth of AIME, an instruction to box the answer can be in all.
const PHRASE = 3

/**
 * The evaluation problems that no training prompt may repeat. A text repeats a problem where the two are equal, letter
 * case, spacing and quoting aside, or share `ngram` words in a row. Words are runs of letters or digits in lower case.
 * Runs of words that three or more problems of one file share are phrases and do not count.
 */
export class Decontamination {
  readonly #ngram: number
  readonly #texts = new Set<string>()
  readonly #ngrams = new Set<string>()

  /** @param files the texts of the problems, a list a file */
  constructor(files: Iterable<readonly string[]>, { ngram }: DecontaminationOptions) {
    this.#ngram = ngram
    const phrases = new Set<string>()
    for (const problems of files) {
      const distinct = new Map(problems.map((problem) => [wholeText(problem), problem]))
      const counts = new Map<string, number>()
      for (const [whole, problem] of distinct) {
        this.#texts.add(whole)
        for (const run of new Set(this.#runs(problem))) counts.set(run, (counts.get(run) ?? 0) + 1)
      }
      for (const [run, count] of counts) (count < PHRASE ? this.#ngrams : phrases).add(run)
    }
    for (const phrase of phrases) this.#ngrams.delete(phrase)
  }

  /** Whether a training prompt repeats an evaluation problem. */
  repeats(text: string): boolean {
    if (this.#texts.has(wholeText(text))) return true
    for (const run of this.#runs(text)) if (this.#ngrams.has(run)) return true
    return false
  }

  /** Every run of `ngram` words; none where the text has fewer. */
  *#runs(text: string): Generator<string> {
    const words =
      text
        .normalize('NFKC')
        .toLowerCase()
        .match(/[\p{L}\p{N}]+/gu) ?? []
    for (let end = this.#ngram; end <= words.length; end++) yield words.slice(end - this.#ngram, end).join(' ')
  }
}

/** Signs stay, since 3 + 5 is another problem than 3 * 5; quoting, spacing and the marks between sentences go. */
function wholeText(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/["“”„$`]/g, '')
    .replace(/[.,;:?]+(?=\s|$)/g, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?([^\p{L}\p{N} ]) ?/gu, '$1')
    .trim()
}
