// What the suite asks of kafkajs: one verb a call, JSON on standard output.
//
//     node kafkajs.js BOOTSTRAP VERB [ARGUMENT...]        (NODE_PATH points at the installed packages)
'use strict'
const { Kafka, CompressionTypes, logLevel } = require('kafkajs')

const [servers, verb, ...args] = process.argv.slice(2)
const PATIENCE_MS = 60_000
const kafka = new Kafka({ clientId: 'suite', brokers: [servers], logLevel: logLevel.ERROR, retry: { retries: 5 } })

const text = data => (data === null ? null : data.toString())

async function within (what, promise) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within a minute`)), PATIENCE_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

// Runs a member until it has `count` records, then stops it, which commits and leaves.
async function gather (topic, group, count, settings = {}) {
  const consumer = kafka.consumer({ groupId: group, sessionTimeout: 6000, heartbeatInterval: 500, ...settings })
  const records = []
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const enough = new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, event => reject(event.payload.error))
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]))
        records.push({ partition, offset: Number(message.offset), key: text(message.key), value: text(message.value), headers })
        if (records.length >= count) resolve()
      }
    })
  })
  await within(`${count} records of ${topic}`, enough)
  await consumer.stop()
  await consumer.disconnect()
  return records
}

const verbs = {
  async produce (topic, count, codec = 'None') {
    const producer = kafka.producer({ idempotent: codec === 'None', allowAutoTopicCreation: true })
    await producer.connect()
    const messages = Array.from({ length: Number(count) }, (_, number) => ({
      partition: number % 2,
      key: `k${number}`,
      value: number % 3 === 2 ? null : `v${number}`,
      headers: { h: String(number) }
    }))
    const answered = await producer.send({ topic, messages, acks: -1, compression: CompressionTypes[codec] })
    await producer.disconnect()
    return answered.map(part => [part.partition, part.errorCode, Number(part.baseOffset)]).sort((a, b) => a[0] - b[0])
  },

  // kafkajs has no consumer outside groups: reading from a chosen offset is a seek.
  async consume_from (topic, group, partition, offset, count) {
    const consumer = kafka.consumer({ groupId: group, sessionTimeout: 6000 })
    const records = []
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    const enough = new Promise(resolve => {
      consumer.run({
        autoCommit: false,
        eachMessage: async record => {
          if (record.partition !== Number(partition) || Number(record.message.offset) < Number(offset)) return
          records.push([Number(record.message.offset), text(record.message.value)])
          if (records.length === Number(count)) resolve()
        }
      })
    })
    consumer.seek({ topic, partition: Number(partition), offset })
    await within(`${count} records from ${offset}`, enough)
    await consumer.disconnect()
    return records
  },

  async consume_group (topic, group, count) {
    const records = await gather(topic, group, Number(count))
    const admin = kafka.admin()
    await admin.connect()
    const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    await admin.disconnect()
    const committed = offsets.partitions.map(part => [part.partition, Number(part.offset)]).sort((a, b) => a[0] - b[0])
    return { records, committed }
  },

  async admin (topic, group) {
    const admin = kafka.admin()
    const seen = {}
    await admin.connect()
    seen.created = await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }] })
    await admin.createTopics({ topics: [{ topic: topic + '-data', numPartitions: 2 }] })
    seen.again = await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] })
    seen.listed = (await admin.listTopics()).includes(topic)
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
    const { topics: [metadata] } = await admin.fetchTopicMetadata({ topics: [topic] })
    seen.partitions = metadata.partitions.length
    const described = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: topic, configNames: ['cleanup.policy'] }] })
    seen.policy = described.resources[0].configEntries.map(entry => entry.configValue)
    await verbs.produce(topic + '-data', 4)
    seen.ends = (await admin.fetchTopicOffsets(topic + '-data')).map(part => [part.partition, Number(part.high)])
    await gather(topic + '-data', group, 4)
    seen.groups = (await admin.listGroups()).groups.filter(found => found.groupId === group)
    const { groups: [state] } = await admin.describeGroups([group])
    seen.state = [state.state, state.protocolType, state.members.length]
    await admin.setOffsets({ groupId: group, topic: topic + '-data', partitions: [{ partition: 0, offset: '1' }] })
    const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [topic + '-data'] })
    seen.reset = offsets.partitions.find(part => part.partition === 0).offset
    seen.deleted = (await admin.deleteGroups([group])).map(found => [found.groupId, found.errorCode])
    await admin.deleteTopics({ topics: [topic, topic + '-data'] })
    seen.left = (await admin.listTopics()).filter(name => name.startsWith(topic))
    const cluster = await admin.describeCluster()
    seen.nodes = cluster.brokers.map(node => `${node.host}:${node.port}`)
    await admin.disconnect()
    return seen
  }
}

verbs[verb](...args).then(
  answer => process.stdout.write(JSON.stringify(answer)),
  error => {
    process.stderr.write(`${error.stack}\n`)
    process.exitCode = 1
  }
)
