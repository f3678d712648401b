import { ConfigError } from '../config/config-error.ts'
import { formatConfig } from '../config/format.ts'
import { isPresetName, presetNames, presets } from '../config/presets/presets.ts'

/** `magic-grpo presets`: a line each, or one as YAML that a config can start from. */
export function showPresets(name: string | undefined): string {
  if (name === undefined) {
    const width = Math.max(...presetNames.map((each) => each.length))
    return presetNames.map((each) => `${each.padEnd(width)}  ${summary(each)}\n`).join('')
  }
  if (!isPresetName(name))
    throw new ConfigError(`there is no preset '${name}'; the presets are ${presetNames.join(', ')}`)
  const { model, settings } = presets[name]
  return [
    `# ${presets[name].summary}. The model that it starts from: ${model}.`,
    `# As the base of a config, that sets model, output and data: preset: ${name}`,
    formatConfig(settings),
  ].join('\n')
}

function summary(name: keyof typeof presets): string {
  const { summary: text, model, settings } = presets[name]
  const steps = settings.stages.reduce((sum, stage) => sum + stage.steps, 0)
  const lengths = settings.stages.map(({ maxResponseLength }) => `${maxResponseLength / 1024}K`).join(' / ')
  return `${text}: ${steps} steps at ${lengths} tokens from ${model.split('/')[1]}`
}
