import { mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A holder touches its lock this often, milliseconds; one that was silent for six times as long is gone. */
const HEARTBEAT = 5_000

/**
 * Runs `work` while holding a lock file that one process at a time can have; waits for it as long as its holder lives.
 * It saves doing work twice; what must be whole even if two hold it (a killed machine, a shared disk) needs a rename too.
 */
export async function withLock<T>(path: string, work: () => Promise<T>, onWait: () => void = () => {}): Promise<T> {
  await mkdir(dirname(path), { recursive: true })
  for (let waited = false; !(await take(path)); ) {
    if (await abandoned(path)) {
      await rm(path, { force: true })
      continue
    }
    if (!waited) onWait()
    waited = true
    await sleep(200)
  }
  const heartbeat = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), HEARTBEAT)
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    await rm(path, { force: true })
  }
}

async function take(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }))
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function abandoned(path: string): Promise<boolean> {
  const entry = await stat(path).catch(() => undefined)
  if (!entry) return false
  if (Date.now() - entry.mtimeMs > 6 * HEARTBEAT) return true
  try {
    const holder = JSON.parse(await readFile(path, 'utf8')) as { pid: number; host: string }
    if (holder.host !== hostname()) return false
    process.kill(holder.pid, 0)
    return false
  } catch (error) {
    // ESRCH: that process is gone. Anything else (a half-written file, another user's process) says nothing.
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
