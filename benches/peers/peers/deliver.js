// Delivery by undici over keep-alive connections; an answer that is no 2xx is an error.
const { Pool } = require('undici')

const pool = new Pool(`http://${process.env.DESTINATION}`, { connections: 32 })

exports.deliver = async (id, payload) => {
  const { statusCode, body } = await pool.request({
    path: '/d/0',
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-event-id': id },
    body: JSON.stringify(payload),
  })
  await body.dump()
  if (statusCode < 200 || statusCode > 299) throw new Error(`the destination answered ${statusCode}`)
}
