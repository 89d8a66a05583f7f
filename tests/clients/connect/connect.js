// Connect's REST API through kafka-connect-client of npm, which speaks axios.
//
// Run as `node connect.js URL FOLDER`, with NODE_PATH naming the folder of the modules. It ends with an error at the first
// answer that is not understood, or is understood otherwise than it should.
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { KafkaConnectClient } = require('kafka-connect-client');

const [, , url, folder] = process.argv;
const SOURCE = 'org.apache.kafka.connect.file.FileStreamSourceConnector';
const NAME = 'of-npm';
const TOPIC = 'of-npm-topic';
const input = path.join(folder, 'of-npm-input');
const source = (more) => ({ 'connector.class': SOURCE, file: input, topic: TOPIC, 'tasks.max': 1, ...more });

async function eventually(what, condition) {
  const end = Date.now() + 60000;
  let last;
  while (Date.now() < end) {
    try {
      last = await condition();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what}: not within 60 s; last: ${last}`);
}

/** The status and the message of an action that is refused. */
async function refused(action) {
  try {
    await action();
  } catch (error) {
    return [error.response.status, error.response.data.message];
  }
  throw new Error('not refused');
}

async function clusterCalls(client) {
  const root = (await client.getCluster()).data;
  assert.deepEqual(Object.keys(root).sort(), ['commit', 'kafka_cluster_id', 'version']);
  assert.deepEqual((await client.getConnectors()).data, []);
  const plugins = (await client.getConnectorPlugins({ connectorsOnly: false })).data;
  assert.ok(plugins.some((plugin) => plugin.class === SOURCE && plugin.type === 'source'));
  assert.ok(plugins.some((plugin) => plugin.type === 'transformation'));
  const checked = (await client.validateConnectorConfig(SOURCE, source({ name: NAME }))).data;
  assert.deepEqual([checked.name, checked.error_count], [SOURCE, 0]);
}

async function life(client, connector) {
  const state = async () => (await connector.getStatus()).data.connector.state;
  const made = await client.createConnector(NAME, source());
  assert.deepEqual([made.status, made.data.type, made.data.config['tasks.max']], [201, 'source', '1']);
  assert.ok(made.headers.location.endsWith(`/connectors/${NAME}`), made.headers.location);
  assert.deepEqual(await refused(() => client.createConnector(NAME, source())), [409, `Connector ${NAME} already exists`]);
  await eventually('running', async () => (await connector.getTaskStatus(0)).data.state === 'RUNNING');
  assert.deepEqual((await connector.get()).data.tasks, [{ connector: NAME, task: 0 }]);
  assert.equal((await connector.getConfig()).data.topic, TOPIC);
  assert.equal((await connector.getTasks()).data[0].config.file, input);
  const expanded = (await client.getConnectors({ expand: 'status' })).data;
  assert.equal(expanded[NAME].status.name, NAME);
  // Its axios writes a list as expand[]=…, which Connect does not know.
  assert.deepEqual((await client.getConnectors({ expand: ['info', 'status'] })).data, [NAME]);
  assert.equal((await connector.updateConfig(source({ 'batch.size': 3 }))).status, 200);
  // Its axios names a form where there is no body, which Connect refuses.
  for (const action of ['pause', 'resume', 'stop', 'resetTopics', 'restartTask']) {
    assert.deepEqual(await refused(() => connector[action](0)), [415, 'HTTP 415 Unsupported Media Type'], action);
  }
  for (const method of ['put', 'post']) connector.axios.defaults.headers[method]['Content-Type'] = 'application/json';
  assert.equal((await connector.restartTask(0)).status, 204);
  assert.equal((await connector.resetTopics()).status, 202);
  // What it means as parameters is sent as a body, which Connect does not read.
  assert.equal((await connector.restart({ includeTasks: true })).status, 204);
  for (const [action, status, reached] of [
    ['pause', 202, 'PAUSED'],
    ['resume', 202, 'RUNNING'],
    ['stop', 204, 'STOPPED'],
  ]) {
    assert.equal((await connector[action]()).status, status, action);
    await eventually(reached, async () => (await state()) === reached);
  }
}

async function offsets(connector) {
  const partition = { filename: input };
  await eventually('an offset', async () => (await connector.getOffsets()).data.offsets.length === 1);
  assert.deepEqual((await connector.getOffsets()).data, { offsets: [{ partition, offset: { position: 14 } }] });
  await eventually('stopped', async () => (await connector.get()).data.tasks.length === 0);
  const altered = await connector.alterOffsets([{ partition, offset: { position: 4 } }]);
  assert.equal(altered.data.message, 'The offsets for this connector have been altered successfully');
  assert.deepEqual((await connector.getOffsets()).data.offsets[0].offset, { position: 4 });
  assert.match((await connector.resetOffsets()).data.message, /reset successfully/);
  assert.deepEqual((await connector.getOffsets()).data, { offsets: [] });
  const none = await refused(() => connector.alterOffsets([]));
  assert.deepEqual(none, [400, 'Partitions / offsets need to be provided for an alter offsets request']);
}

async function main() {
  fs.writeFileSync(input, 'one\ntwo\nthree\n');
  const { hostname, port } = new URL(url);
  const client = new KafkaConnectClient({ host: hostname, port: Number(port) });
  const connector = client.connector(NAME);
  await clusterCalls(client);
  assert.deepEqual(await refused(() => connector.get()), [404, `Connector ${NAME} not found`]);
  assert.deepEqual(await refused(() => connector.getStatus()), [404, `No status found for connector ${NAME}`]);
  await life(client, connector);
  await offsets(connector);
  assert.equal((await connector.delete()).status, 204);
  assert.deepEqual((await client.getConnectors()).data, []);
  console.log('of-npm: all understood');
}

main().catch((error) => {
  console.error(error.response ? `${error}\n${error.config.method} ${error.config.url}: ${JSON.stringify(error.response.data)}` : error);
  process.exit(1);
});
