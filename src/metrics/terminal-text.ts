/** Text of a model or a file as a terminal may show it: without what steers the terminal or reverses the text. */
export function terminalText(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|\p{Bidi_Control}/gu, '')
}
