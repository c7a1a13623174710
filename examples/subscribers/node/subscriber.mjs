// How many minutes has each volunteer served, over several cities? By the rule of docs/sums.md.
//
//   node subscriber.mjs --city 500000=127.0.0.1:9092 --city 510100=127.0.0.1:9192 \
//     --state sums.json --until-end
//
// The events are opened by the CloudEvents SDK. Sums, sequences and offsets stand in one file,
// which is replaced as a whole: whenever this is killed, it goes on as if it had not been.
//
// How brokers let us in stands in the environment: KAFKA_SECURITY, KAFKA_USERNAME,
// KAFKA_PASSWORD_FILE, KAFKA_CA; what is one city's alone with its code, KAFKA_CA_510100.
import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Consumer, ListOffsetTimestamps, stringDeserializers } from '@platformatic/kafka'
import { Kafka } from 'cloudevents'

const TOPIC = 'records.dossiers.v1'
const ADOPTED = 'records.dossier-adopted.v1'
const SECURITY = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']
// The file is written whole: after this many events, and when all that came is counted.
const EVENTS_A_WRITE = 500
// How long a broker waits for news before it answers; and so how long it takes us to stop.
const WAIT_MILLISECONDS = 500

// An event of a key that comes before this one has not been read.
class Missed extends Error {}

class Sums {
  over = false // a city failed: nothing more is counted here
  counts = { taken: 0, repeats: 0, older_homes: 0 }

  constructor (path) {
    this.path = path
    const nothing = { offsets: {}, sequences: {}, epochs: {}, minutes: {} }
    this.state = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : nothing
  }

  take (topic, event) {
    const { sequences, epochs, minutes } = this.state
    const subject = event.subject
    const sequence = wholeNumber(event.sequence, 'ce_sequence')

    // 1. Pass repeats: events come at least once, and count once.
    const last = (sequences[topic] ??= {})
    const before = last[subject] ?? 0
    if (sequence <= before) {
      this.counts.repeats++
      return
    }
    // A key's numbers begin at 1 and have no gaps.
    if (sequence > before + 1) {
      throw new Missed(`sequence ${sequence} follows ${before}, something was missed`)
    }
    last[subject] = sequence

    // 2. Pass older homes: this city no longer held the dossier when it said so.
    const highest = epochs[subject] ?? 0
    const epoch = event.custodyepoch === undefined
      ? highest
      : wholeNumber(event.custodyepoch, 'ce_custodyepoch')
    if (epoch < highest) {
      this.counts.older_homes++
      return
    }
    epochs[subject] = epoch

    if (event.type === ADOPTED) {
      // 3. An adoption replaces what there was.
      minutes[subject] = event.data.totals.credited_minutes
    } else {
      // 4. Everything else adds what it moved; types that move nothing change nothing.
      minutes[subject] ??= 0
      for (const { cell, before, after } of event.data.moved ?? []) {
        if (cell !== null) minutes[subject] += after - before
      }
    }
    this.counts.taken++
  }

  passed (topic, partition, offset) {
    (this.state.offsets[topic] ??= {})[partition] = Number(offset) + 1
  }

  // Everything, at once: it is read again from the start.
  forget () {
    this.state = { offsets: {}, sequences: {}, epochs: {}, minutes: {} }
    this.write()
  }

  write () {
    const file = openSync(`${this.path}.new`, 'w', 0o600)
    writeFileSync(file, JSON.stringify(this.state))
    fsyncSync(file)
    closeSync(file)
    renameSync(`${this.path}.new`, this.path)
  }

  report () {
    return JSON.stringify({ totals: this.state.minutes, ...this.counts })
  }
}

// How this city's brokers are spoken to; in plain, unless the environment says otherwise.
function access (code) {
  const told = (name, otherwise) => {
    const value = process.env[`${name}_${code}`] || process.env[name] || otherwise
    if (value === undefined) throw new Error(`${name} is missing for city ${code}`)
    return value
  }
  const security = told('KAFKA_SECURITY', 'PLAINTEXT')
  if (!SECURITY.includes(security)) throw new Error(`KAFKA_SECURITY is none of ${SECURITY.join(', ')}`)
  const options = {}
  if (security.endsWith('SSL')) {
    const ca = told('KAFKA_CA', '')
    options.tls = ca ? { ca: readFileSync(ca) } : {} // without: the system's
  }
  if (security.startsWith('SASL_')) {
    options.sasl = {
      mechanism: 'SCRAM-SHA-512',
      username: told('KAFKA_USERNAME'),
      password: readFileSync(told('KAFKA_PASSWORD_FILE'), 'utf8').trim()
    }
  }
  return options
}

// Reads one city: to the end that stood when we began, or for ever.
async function read (sums, { code, bootstrap }, { untilEnd, replay, again, consumers }) {
  const topic = `${code}.${TOPIC}`
  const entry = access(code)
  // A group of our own, in which no offsets are kept: they stand with the sums. A principal is let
  // into groups that begin with its name.
  const consumer = new Consumer({
    ...entry,
    clientId: 'jiexu-subscriber',
    groupId: `${entry.sasl?.username ?? 'jiexu-subscriber'}-${randomUUID()}`,
    bootstrapBrokers: bootstrap.split(','),
    deserializers: stringDeserializers,
    autocommit: false,
    maxWaitTime: WAIT_MILLISECONDS
  })
  consumers.push(consumer)
  try {
    const [lows, ends] = await Promise.all([
      consumer.listOffsets({ topics: [topic], timestamp: ListOffsetTimestamps.EARLIEST }),
      consumer.listOffsets({ topics: [topic], timestamp: ListOffsetTimestamps.LATEST })
    ])
    const stored = sums.state.offsets[topic] ?? {}
    const next = lows.get(topic).map((low, partition) => {
      const at = BigInt(stored[partition] ?? 0)
      if (at < low) {
        throw new Error(`${topic}[${partition}] begins at ${low}, we have read to ${at}: ` +
          'what stood between was cut, the totals cannot be known')
      }
      // Beyond the end: the topic was made anew. Sequences pass what we have counted.
      return replay || at > ends.get(topic)[partition] ? low : at
    })
    const atEnd = () => next.every((at, partition) => at >= ends.get(topic)[partition])
    if (untilEnd && atEnd()) return

    const offsets = next.map((offset, partition) => ({ topic, partition, offset }))
    const stream = await consumer.consume({ topics: [topic], mode: 'manual', offsets })
    let unwritten = 0
    for await (const message of stream) {
      if (sums.over) break
      const { key, value, partition, offset } = message
      try {
        sums.take(topic, Kafka.toEvent({ key, value, headers: Object.fromEntries(message.headers) }))
      } catch (fault) {
        // It is not skipped: that would be a silent loss.
        const said = `${topic}[${partition}]@${offset}: ${fault.message}`
        if (!(fault instanceof Missed)) throw new Error(said)
        if (!again || atEnd()) throw new Missed(said)
        throw new Error(`${said} in the log itself: the totals cannot be known`)
      }
      sums.passed(topic, partition, offset)
      next[partition] = offset + 1n
      unwritten++
      const done = untilEnd && atEnd()
      if (done || stream.readableLength === 0 || unwritten >= EVENTS_A_WRITE) {
        sums.write()
        unwritten = 0
        if (!untilEnd && stream.readableLength === 0) console.log(sums.report())
      }
      if (done) break
    }
  } finally {
    await consumer.close(true)
  }
}

// Reads the cities side by side; where one fails the others are stopped.
async function follow (sums, cities, how) {
  const consumers = []
  const reading = cities.map((city) => read(sums, city, { ...how, consumers }).catch((fault) => {
    fault.message = `city ${city.code} at ${city.bootstrap}: ${fault.message}`
    throw fault
  }))
  try {
    await Promise.all(reading)
  } catch (fault) {
    sums.over = true
    await Promise.allSettled(consumers.map((consumer) => consumer.close(true)))
    await Promise.allSettled(reading)
    throw fault
  }
}

function wholeNumber (text, name) {
  if (!/^[1-9][0-9]*$/.test(text)) throw new Error(`${name} is no whole number`)
  return Number(text)
}

function asked () {
  const { values } = parseArgs({
    options: {
      city: { type: 'string', multiple: true, default: [] },
      state: { type: 'string' },
      'until-end': { type: 'boolean', default: false },
      replay: { type: 'boolean', default: false }
    }
  })
  const cities = values.city.map((text) => /^(?<code>[^=]+)=(?<bootstrap>.+)$/.exec(text)?.groups)
  if (!values.state || cities.length === 0 || cities.includes(undefined)) {
    throw new Error('usage: --city CODE=HOST:PORT … --state FILE [--until-end] [--replay]')
  }
  return { cities, state: values.state, untilEnd: values['until-end'], replay: values.replay }
}

try {
  const { cities, state, ...how } = asked()
  for (;;) {
    const sums = new Sums(state)
    try {
      await follow(sums, cities, how)
      console.log(sums.report())
      break
    } catch (fault) {
      if (!(fault instanceof Missed)) throw fault
      console.error(`subscriber: ${fault.message}: reading again from the start`)
      sums.forget()
      Object.assign(how, { again: true, replay: false })
    }
  }
} catch (fault) {
  console.error(`subscriber: ${fault.message}`)
  process.exit(1)
}
