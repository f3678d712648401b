import { type Goal, type Row, ratioOf } from './row.ts'
import type { Repetition, Side } from './side.ts'
import { median } from './statistics.ts'

/** How often a comparison is repeated: at least twice, then until it has taken this long or been done this often. */
export interface Patience {
  seconds: number
  most: number
}

/** Both sides' repetitions, taken in turns: ours, peer, ours, peer. */
export interface Comparison {
  ours: Repetition[]
  peer: Repetition[]
}

const LEAST = 2
/** seconds */
const WORTH_A_LINE = 1

/**
 * Repeats both sides in turns, so that what else the machine does meets both alike. The first repetition of each is a
 * warm-up and does not count. Where the peer's alone takes longer than all may, it counts, as a warm-up is next to nothing
 * of it, and ours is repeated by itself.
 */
export async function interleave(
  sides: { ours: Pick<Side, 'run'>; peer: Pick<Side, 'run'> },
  { seconds, most }: Patience,
  log: (line: string) => void = () => {},
): Promise<Comparison> {
  const [firstOurs, firstPeer] = [await sides.ours.run(), await sides.peer.run()]
  if (firstPeer.seconds > seconds) {
    const ours: Repetition[] = []
    while (ours.length < LEAST) ours.push(await sides.ours.run())
    const seconds = [firstOurs, ...ours].map((each) => each.seconds.toPrecision(3)).join(', ')
    log(`ours ${seconds} s, the first does not count; peer ${firstPeer.seconds.toPrecision(3)} s: not repeated`)
    return { ours, peer: [firstPeer] }
  }
  const comparison: Comparison = { ours: [], peer: [] }
  const begun = performance.now()
  const passed = () => (performance.now() - begun) / 1000
  while (comparison.ours.length < LEAST || (comparison.ours.length < most && passed() < seconds)) {
    comparison.ours.push(await sides.ours.run())
    comparison.peer.push(await sides.peer.run())
    const [ours, peer] = [comparison.ours.at(-1)!.seconds, comparison.peer.at(-1)!.seconds]
    if (ours + peer > WORTH_A_LINE) log(`ours ${ours.toPrecision(3)} s, peer ${peer.toPrecision(3)} s`)
  }
  return comparison
}

/** What a row says beside its figures. */
export interface RowText {
  name: string
  part: string
  peerName: string
  settings: Record<string, unknown>
  goal?: Goal
}

/**
 * The row of a comparison, its peak memory from the sides.
 *
 * @param tokens where given, the row is a rate: tokens a second
 */
export async function rowOf(
  text: RowText,
  comparison: Comparison,
  sides: { ours: Pick<Side, 'memory'>; peer: Pick<Side, 'memory'> },
  tokens?: number,
): Promise<Row> {
  const [memoryOurs, memoryPeer] = [await sides.ours.memory(), await sides.peer.memory()]
  const settings = {
    ...text.settings,
    'memory in all': `${gibibytes(memoryOurs.peak)} / ${gibibytes(memoryPeer.peak)}`,
  }
  return timedRow({ ...text, settings }, comparison, { ours: memoryOurs.extra, peer: memoryPeer.extra }, tokens)
}

/** The row of a comparison and the memory that was measured elsewhere. */
export function timedRow(
  { settings, goal, ...text }: RowText,
  { ours: oursAll, peer: peerAll }: Comparison,
  memory: { ours: number; peer: number } | undefined,
  tokens?: number,
): Row {
  const unit = tokens === undefined ? 's' : 'tokens/s'
  const figure = (all: Repetition[]) => {
    const seconds = median(all.map((each) => each.seconds))
    return tokens === undefined ? seconds : tokens / seconds
  }
  const [ours, peer, repetitions] = [figure(oursAll), figure(peerAll), oursAll.length]
  return {
    ...text,
    ours,
    peer,
    ratio: ratioOf(ours, peer, unit),
    unit,
    ...(memory && { memoryOurs: memory.ours, memoryPeer: memory.peer }),
    settings: { ...settings, repetitions, ...(peerAll.length !== repetitions && { 'of the peer': peerAll.length }) },
    ...(goal && { goal }),
  }
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`
}
