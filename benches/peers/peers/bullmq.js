// Fastify in front of BullMQ: the answer comes when Redis has the job, and a worker delivers it. What is done is removed at
// once, which asks least of Redis.
const { Queue, Worker } = require('bullmq')
const { reshape } = require('./work.js')
const { deliver } = require('./deliver.js')

const connection = { host: '127.0.0.1', port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null }
const queue = new Queue('events', { connection })
const options = { removeOnComplete: true, attempts: 15, backoff: { type: 'exponential', delay: 1000 } }

new Worker('events', (job) => deliver(job.data.id, reshape(job.data.event)), { connection, concurrency: 32 })
require('./server.js').serve((id, event) => queue.add('event', { id, event }, { ...options, jobId: `e${id}` }))
