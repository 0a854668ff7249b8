// A Fastify server that verifies and filters, and answers once `keep(id, event)` is done.
const { verify, wanted } = require('./work.js')

exports.serve = (keep) => {
  const server = require('fastify')({ logger: false, bodyLimit: 4 << 20 })
  server.removeContentTypeParser('application/json')
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => done(null, body))
  server.post('/hooks/bspk', async (request, reply) => {
    if (!verify(request.body, request.headers['x-signature'], process.env.SECRET)) return reply.code(401).send()
    const event = JSON.parse(request.body)
    if (wanted(event)) await keep(request.headers['x-event-id'], event)
    return reply.code(202).send()
  })
  server.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
}
