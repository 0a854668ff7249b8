// Fastify that forwards: no store, and the answer waits for the destination's.
const { reshape } = require('./work.js')
const { deliver } = require('./deliver.js')

require('./server.js').serve((id, event) => deliver(id, reshape(event)))
