// node validate.mjs DOCUMENT…: what the public AsyncAPI parser finds wrong with each, as JSON.
// Errors and warnings alone: of hints, one only says that there is a newer AsyncAPI.
import { readFile } from 'node:fs/promises'
import { Parser } from '@asyncapi/parser'

const found = {}
for (const source of process.argv.slice(2)) {
  const { diagnostics } = await new Parser().parse(await readFile(source, 'utf8'), { source })
  found[source] = diagnostics
    .filter(({ severity }) => severity <= 1)
    .map(({ path, message }) => `${path.join('/')}: ${message}`)
}
console.log(JSON.stringify(found))
