import test from 'ava'
import { overlongPenalty } from '../../src/advantage/overlong-penalty.ts'

const options = { maxResponseLength: 20, overlongBuffer: 4, overlongPenalty: 0.5 }

test('nothing up to the buffer, then linearly to the whole penalty', (t) => {
  t.deepEqual(
    [1, 15, 16, 17, 18, 19, 20].map((length) => overlongPenalty(length, options)),
    [0, 0, 0, 0.125, 0.25, 0.375, 0.5],
  )
})

test('without a buffer there is no penalty', (t) => {
  t.is(overlongPenalty(20, { ...options, overlongBuffer: 0 }), 0)
})
